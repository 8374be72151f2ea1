"""A real browser without a window, driven by the DevTools protocol.

async with browser(program, folder) as chromium:
    async with chromium.tab(width=390) as tab:
        await tab.open("http://127.0.0.1:8080/")
        assert await tab.run("document.title") == "Overview"
        assert tab.complaints == []
"""

import asyncio
import base64
import itertools
import os
import signal
import subprocess
import time
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
from processes import PATIENCE, until

IDLE = 30  # seconds after which our pages look though nobody told them anything: page.js
_FLAGS = (
    "--headless",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
    "--remote-debugging-port=0",
)


_LEAVING = ("navigated", "context")  # in what the browser says then: the code of the error is that of many others


class Left(AssertionError):
    """The page was left before it answered."""


class Tab:
    """One page. `complaints` are what the browser found wrong: errors of scripts, refused requests, broken policies."""

    def __init__(self, chromium: "Chromium", session: str) -> None:
        self._chromium = chromium
        self._session = session
        self._loaded: dict[str, asyncio.Event] = defaultdict(asyncio.Event)  # by the loader: a new tab loads, too
        self.complaints: list[str] = []

    async def send(self, method: str, **params: Any) -> Any:
        return await self._chromium.send(method, self._session, **params)

    async def open(self, url: str) -> None:
        """Go there, and wait until everything is loaded."""
        answer = await self.send("Page.navigate", url=url)
        assert "errorText" not in answer, answer
        async with asyncio.timeout(PATIENCE):
            await self._loaded[answer["loaderId"]].wait()

    async def run(self, expression: str) -> Any:
        """The value of an expression of JavaScript; what it promises is waited for."""
        answer = await self.send("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer["exceptionDetails"]
        return answer["result"].get("value")

    async def until(self, expression: str, *, seconds: float = PATIENCE) -> float:
        """Wait until an expression is true; the seconds that it took. A page that is just being left says not yet."""
        start = time.monotonic()
        while not await self._now(expression):
            assert time.monotonic() - start < seconds, f"not within {seconds} s: {expression}"
            await asyncio.sleep(0.02)
        return time.monotonic() - start

    async def _now(self, expression: str) -> Any:
        try:
            return await self.run(expression)
        except Left:
            return None

    async def press(self, key: str, code: int) -> None:
        """One key of the keyboard: "Tab", 9."""
        text = {"Enter": "\r"}.get(key, "")
        for kind in ("keyDown", "keyUp"):
            await self.send("Input.dispatchKeyEvent", type=kind, key=key, windowsVirtualKeyCode=code, text=text)

    async def size(self, width: int, height: int = 844, *, phone: bool = False) -> None:
        await self.send(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=phone
        )

    async def colours(self, scheme: str) -> None:
        """ "light" or "dark"."""
        features = [
            {"name": "prefers-color-scheme", "value": scheme},
            {"name": "prefers-reduced-motion", "value": "reduce"},
        ]
        await self.send("Emulation.setEmulatedMedia", features=features)

    async def scripts(self, *, on: bool) -> None:
        """Whether pages may run scripts of their own; ours run all the same."""
        await self.send("Emulation.setScriptExecutionDisabled", value=not on)

    async def picture(self, *, whole: bool = False) -> bytes:
        """What is to be seen, as PNG; the `whole` page, or what fits."""
        answer = await self.send("Page.captureScreenshot", format="png", captureBeyondViewport=whole)
        return base64.b64decode(answer["data"])

    def heard(self, method: str, params: dict[str, Any]) -> None:
        match method:
            case "Page.lifecycleEvent" if params["name"] == "load":
                self._loaded[params["loaderId"]].set()
            case "Runtime.exceptionThrown":
                self.complaints.append(str(params["exceptionDetails"]))
            case "Runtime.consoleAPICalled" if params["type"] in ("error", "warning", "assert"):
                self.complaints.append(str(params["args"]))
            case "Log.entryAdded" if params["entry"]["level"] in ("error", "warning"):
                self.complaints.append(f"{params['entry']['text']} {params['entry'].get('url', '')}")


class Chromium:
    """The browser, behind one socket."""

    def __init__(self, socket: aiohttp.ClientWebSocketResponse) -> None:
        self._socket = socket
        self._numbers = itertools.count(1)
        self._answers: dict[int, asyncio.Future[Any]] = {}
        self._tabs: dict[str, Tab] = {}

    async def listen(self) -> None:
        async for message in self._socket:
            said = message.json()
            if (number := said.get("id")) is None:
                if tab := self._tabs.get(said.get("sessionId", "")):
                    tab.heard(said["method"], said["params"])
            elif not (waiting := self._answers.pop(number)).done():
                waiting.set_result(said)

    async def send(self, method: str, session: str = "", **params: Any) -> Any:
        number = next(self._numbers)
        waiting = self._answers[number] = asyncio.get_running_loop().create_future()
        await self._socket.send_json(
            {"id": number, "method": method, "params": params, **({"sessionId": session} if session else {})}
        )
        async with asyncio.timeout(PATIENCE):
            answer = await waiting
        if "error" in answer:
            words = answer["error"]["message"]
            raise (Left if any(part in words for part in _LEAVING) else AssertionError)(method, answer)
        return answer["result"]

    @asynccontextmanager
    async def tab(self, *, width: int = 1280, height: int = 844, scripts: bool = True) -> AsyncIterator[Tab]:
        """A tab that shares nothing with others, cookies neither."""
        context = (await self.send("Target.createBrowserContext"))["browserContextId"]
        target = (await self.send("Target.createTarget", url="about:blank", browserContextId=context))["targetId"]
        session = (await self.send("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        made = self._tabs[session] = Tab(self, session)
        for domain in ("Page", "Runtime", "Log"):
            await made.send(f"{domain}.enable")
        await made.send("Page.setLifecycleEventsEnabled", enabled=True)
        await made.size(width, height, phone=width < 600)
        await made.colours("light")
        await made.scripts(on=scripts)
        try:
            yield made
        finally:
            await self.send("Target.disposeBrowserContext", browserContextId=context)
            del self._tabs[session]


@asynccontextmanager
async def browser(program: Path, folder: Path) -> AsyncIterator[Chromium]:
    """Run it until the context ends; `folder` is its profile."""
    process = await asyncio.to_thread(_launch, program, folder)
    try:
        url = await asyncio.to_thread(until, lambda: _address(process, folder), "the browser listens")
        async with aiohttp.ClientSession() as http, http.ws_connect(url, max_msg_size=0) as socket:
            made = Chromium(socket)
            listening = asyncio.create_task(made.listen())
            try:
                yield made
            finally:
                listening.cancel()
                await asyncio.gather(listening, return_exceptions=True)
    finally:
        # Debian's program is a script that starts the browser: its whole group goes.
        os.killpg(process.pid, signal.SIGKILL)
        await asyncio.to_thread(process.wait, 10)


def _launch(program: Path, folder: Path) -> subprocess.Popen[bytes]:
    folder.mkdir(parents=True, exist_ok=True)
    flags = [*_FLAGS, f"--user-data-dir={folder}", *(() if os.geteuid() else ("--no-sandbox",))]
    with (folder / "log").open("wb") as said:
        return subprocess.Popen([str(program), *flags, "about:blank"], stdout=said, stderr=said, start_new_session=True)


def _address(process: subprocess.Popen[bytes], folder: Path) -> str:
    """Where the browser listens; "" until it does."""
    assert process.poll() is None, (folder / "log").read_text(errors="replace")
    file = folder / "DevToolsActivePort"
    lines = file.read_text().splitlines() if file.exists() else []
    return f"ws://127.0.0.1:{lines[0]}{lines[1]}" if len(lines) == 2 else ""
