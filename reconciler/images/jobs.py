"""Builds that run as Jobs in the cluster.

    push the context → create the Job (or find it: its name is what is built) → pass its log on → ask the registry

A Job that succeeded is deleted, with the context that it was given; one that failed stays for a while so that people
can look at it; one that nobody waits for any more is deleted at once, with its pods.
"""

import asyncio
import contextlib
import json
from collections import deque
from datetime import datetime
from typing import Final

from reconciler.clock import Clock
from reconciler.errors import BuildFailed, ImageError, TransportError
from reconciler.http.transport import Request, Transport
from reconciler.images import artifact, words
from reconciler.images.builder import LEFT, TAIL, Log, Work
from reconciler.images.job import LABEL, Object, job, name_of
from reconciler.images.push import Pusher
from reconciler.images.registry import Registry
from reconciler.images.session import Session
from reconciler.model.image import JobSettings
from reconciler.model.snapshot import Blobs

POLL: Final = 2.0  # seconds between two looks at a Job
_GRACE: Final = 60.0  # seconds beyond the Job's own deadline
_JSON: Final = {"accept": "application/json", "content-type": "application/json"}
_AWAY: Final = b'{"apiVersion":"v1","kind":"DeleteOptions","propagationPolicy":"Background"}'


class JobBuilder:
    """A Builder. `cluster` is the Transport to the API server."""

    def __init__(self, session: Session, pusher: Pusher, cluster: Transport, settings: JobSettings) -> None:
        self._session = session
        self._registry = Registry(session)
        self._pusher = pusher
        self._cluster = cluster
        self._settings = settings

    async def build(self, work: Work, blobs: Blobs, log: Log) -> str:
        """As Builder says."""
        context = await artifact.push(work, blobs, self._pusher)
        repositories = [work.target.repository, *(base.repository for base in work.bases.values())]
        plain = {one.registry for one in repositories if self._session.endpoint(one).plain}
        run = _Run(self._cluster, self._session, name_of(work.target), self._settings.namespace, work, log)
        try:
            await run.start(job(work, context, self._settings, plain))
            if not await run.finish() and not await self._registry.has(work.target):
                raise run.failed("somebody deleted the Job")
        except asyncio.CancelledError as ended:
            if ended.args != (LEFT,):
                await asyncio.shield(run.delete())
            raise
        digest = (await self._registry.head(work.target)).digest
        await run.delete()
        with contextlib.suppress(ImageError):  # where it may not be deleted it stays, under its tag
            await self._pusher.delete(context)
        return digest


async def sweep(cluster: Transport, settings: JobSettings, clock: Clock) -> int:
    """Delete Jobs of builds that ended in an earlier life, and say how many. Raises TransportError.

    One that failed is kept as long as its settings say. One that runs goes on: its build may be asked for again.
    """
    jobs = f"/apis/batch/v1/namespaces/{settings.namespace}/jobs"
    answer = await cluster.send(Request("GET", jobs, (("labelSelector", LABEL),), _JSON))
    try:
        listed = json.loads(answer.body).get("items") or []
    except (ValueError, AttributeError):
        listed = []
    old = [one["metadata"]["name"] for one in listed if _over(one, settings, clock)]
    for name in old:
        await cluster.send(Request("DELETE", f"{jobs}/{name}", (), _JSON, _AWAY))
    return len(old)


def _over(found: Object, settings: JobSettings, clock: Clock) -> bool:
    outcome = _ended(found)
    if outcome != "Failed":
        return bool(outcome)
    times = [one.get("lastTransitionTime") or "" for one in found["status"]["conditions"] if one.get("type") == outcome]
    try:
        since = datetime.fromisoformat(times[0])
    except ValueError:
        return False
    return (clock.now() - since).total_seconds() > settings.keep


class _Run:
    """One Job."""

    def __init__(self, cluster: Transport, session: Session, name: str, namespace: str, work: Work, log: Log) -> None:
        self._cluster = cluster
        self._clock = session.clock
        self._name = name
        self._jobs = f"/apis/batch/v1/namespaces/{namespace}/jobs"
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._work = work
        self._log = log
        self._tail: deque[str] = deque(maxlen=TAIL)
        self._waits = ""  # why a container does not start

    async def start(self, wanted: Object) -> None:
        """Create the Job, or go on with the one of an earlier life; one that failed then is tried anew."""
        for _ in range(int(_GRACE / POLL)):
            found = await self._read()
            if found is None:
                status, said = await self._call("POST", self._jobs, wanted)
                if status in (200, 201):
                    return
                if status != 409:
                    raise self.failed("the Job cannot be created", words.printable(str(said.get("message") or status)))
            elif _ended(found) != "Failed" and not found["metadata"].get("deletionTimestamp"):
                return
            else:
                await self.delete()
            await self._clock.sleep(POLL)
        raise self.failed("the Job of an earlier try does not go away")

    async def finish(self) -> bool:
        """Wait for the Job's end; False when it vanished, perhaps because another daemon is done with it.

        Raises BuildFailed.
        """
        lines = asyncio.create_task(self._follow())
        end = self._clock.monotonic() + self._work.timeout + _GRACE
        try:
            while True:
                found = await self._read()
                if found is None:
                    return False
                outcome = _ended(found)
                if outcome:
                    await self._last_lines(lines)
                if outcome == "Complete":
                    return True
                if outcome:
                    raise self._explained(found)
                if self._clock.monotonic() > end:
                    raise self.failed(f"the build did not finish within {self._work.timeout:g} s", self._waits)
                await self._clock.sleep(POLL)
        finally:
            lines.cancel()
            await asyncio.gather(lines, return_exceptions=True)

    async def delete(self) -> None:
        """Delete the Job and its pods. That it cannot be done is not worth an error: it goes with its time to live."""
        with contextlib.suppress(TransportError):
            request = Request("DELETE", f"{self._jobs}/{self._name}", (), _JSON, _AWAY)
            await self._cluster.send(request)

    async def _last_lines(self, lines: asyncio.Task[None]) -> None:
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(POLL * 2):
                await asyncio.gather(asyncio.shield(lines), return_exceptions=True)

    def _explained(self, found: Object) -> BuildFailed:
        """The error for a Job that failed."""
        conditions = found.get("status", {}).get("conditions") or []
        failed: Object = next((one for one in conditions if one.get("type") == "Failed"), {})
        if failed.get("reason") == "DeadlineExceeded":
            return self.failed(f"the build did not finish within {self._work.timeout:g} s", self._waits)
        said = next((line for line in reversed(self._tail) if line.lower().startswith("error")), "")
        return self.failed("the build failed", said or self._waits or str(failed.get("message") or ""))

    def failed(self, what: str, why: str = "", hint: str = "") -> BuildFailed:
        hint = hint or f"kubectl describe and kubectl logs tell more: {LABEL}={self._name}"
        return BuildFailed(what, where=str(self._work.target), why=why, hint=hint, log=tuple(self._tail))

    async def _follow(self) -> None:
        """Pass on the log of each container, one after the other, as far as it can be had."""
        told: dict[str, int] = {}  # lines of each container so far
        done: set[str] = set()
        while True:
            for pod in await self._list_pods():
                status = pod.get("status") or {}
                entries = [*(status.get("initContainerStatuses") or ()), *(status.get("containerStatuses") or ())]
                for entry in entries:
                    name, state = entry["name"], entry.get("state") or {}
                    if waiting := state.get("waiting"):
                        said = (str(waiting.get(part) or "") for part in ("reason", "message"))
                        self._waits = words.printable(" ".join(said)).strip()
                    elif name not in done:
                        self._waits = ""
                        told[name] = await self._lines(pod["metadata"]["name"], name, told.get(name, 0))
                        if state.get("terminated"):
                            done.add(name)
                if len(done) == len(entries) > 0 and status.get("phase") in ("Failed", "Succeeded"):
                    return
            await self._clock.sleep(POLL)

    async def _lines(self, pod: str, container: str, skip: int) -> int:
        """Pass on what follows the first `skip` lines, and say how many there are now."""
        query = (("container", container), ("follow", "true"))
        count = 0
        with contextlib.suppress(TransportError):  # what broke off is read again, without what was told
            async with self._cluster.stream(Request("GET", f"{self._pods}/{pod}/log", query)) as stream:
                if stream.status != 200:
                    return skip
                async for raw in stream.lines():
                    count += 1
                    if count > skip:
                        line = words.printable(raw.decode("utf-8", "replace"), 500)
                        self._tail.append(line)
                        self._log(line)
        return max(count, skip)

    async def _list_pods(self) -> list[Object]:
        query = (("labelSelector", f"{LABEL}={self._name}"),)
        with contextlib.suppress(TransportError, ImageError):
            _status, said = await self._call("GET", self._pods, query=query)
            items = said.get("items")
            return items if isinstance(items, list) else []
        return []

    async def _read(self) -> Object | None:
        status, said = await self._call("GET", f"{self._jobs}/{self._name}")
        if status == 404:
            return None
        if status != 200:
            raise self.failed("the Job cannot be read", words.printable(str(said.get("message") or status)))
        return said

    async def _call(
        self, method: str, path: str, body: Object | None = None, query: tuple[tuple[str, str], ...] = ()
    ) -> tuple[int, Object]:
        content = json.dumps(body).encode() if body is not None else b""
        try:
            answer = await self._cluster.send(Request(method, path, query, _JSON, content))
        except TransportError as error:
            raise self.failed("the API server cannot be asked about the build", error.why, error.hint) from None
        try:
            said = json.loads(answer.body)
        except ValueError:
            said = {}
        return answer.status, said if isinstance(said, dict) else {}


def _ended(found: Object) -> str:
    """ "Complete", "Failed", or "" while it runs."""
    for condition in found.get("status", {}).get("conditions") or ():
        if condition.get("status") == "True" and condition.get("type") in ("Complete", "Failed"):
            return str(condition["type"])
    return ""
