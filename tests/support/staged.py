"""A status that has something of everything, for pages to be looked at: nothing runs behind it."""

from collections import Counter
from collections.abc import Hashable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from reconciler.daemon.page.journal import Journal
from reconciler.daemon.page.status import (
    Condition,
    Detail,
    Manager,
    Newest,
    Overall,
    PlannerStatus,
    Row,
    SourceStatus,
    Standing,
)
from reconciler.kube.names import Identity
from reconciler.model.change import ABSENT
from reconciler.model.drift import Author, Drift, DriftedField, DriftKind, DriftState, Wanted
from reconciler.model.event import Event, EventType
from reconciler.model.health import Health, Status
from reconciler.model.image import Unknown
from reconciler.model.manifest import DriftMode
from reconciler.model.planned import (
    VERSION,
    Amount,
    PlacedShare,
    PlannedCluster,
    PlannedWorkload,
    Share,
    ShownCandidate,
    ShownChoice,
    Template,
    Waiting,
    WeighedTerm,
)
from reconciler.model.problem import Location, Problem, Severity
from reconciler.model.snapshot import Revision, Skipped, SkipReason
from reconciler.model.spec import Origin
from reconciler.model.state import Held, Mark, Pass
from reconciler.planner.carrying import Carrying
from reconciler.planner.curves import Curve
from reconciler.planner.loads import NodeLoad
from reconciler.redact import CHANGED

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LONG = "a-name-without-any-place-to-break-it-" * 6 + "end"
EVIL = "\"><script>document.title='owned'</script>\u202e"

SHOP = Revision(
    "3f9c1d2e4b5a69788796a5b4c3d2e1f001122334", "main", "Ada Byron <ada@example.com>", NOW, "Cart: 3 replicas"
)
OLDER = replace(
    SHOP, commit="90b1c2d3e4f5061728394a5b6c7d8e9f00112233", subject="Search: more memory", author="Grace Hopper"
)
PLATFORM = replace(SHOP, commit="77aa88bb99cc00dd11ee22ff33445566778899aa", subject=EVIL, time=NOW - timedelta(days=3))

WEB = Identity("apps", "Deployment", "shop", "web")
CART = Identity("apps", "Deployment", "shop", "cart")
KEYS = Identity("", "Secret", "shop", "payment-keys")


def before(**ago: float) -> datetime:
    return NOW - timedelta(**ago)


def drifts() -> tuple[Drift, ...]:
    kubectl = Author("kubectl-edit", "Update", before(minutes=4))
    lines = "listen 80;\nserver_name shop.example.com;\nkeepalive_timeout 65;\n"
    return (
        Drift(
            "shop",
            WEB,
            DriftKind.EDITED,
            before(minutes=4),
            DriftMode.ALERT,
            DriftState.FOUND,
            (
                DriftedField("spec.replicas", 3, 5, (kubectl,)),
                DriftedField(
                    "spec.template.spec.containers[name=web].image",
                    "registry.example.com/shop/web:1.4.2",
                    "registry.example.com/shop/web:debug",
                    (kubectl, Author("argocd-controller", "Apply", before(minutes=3))),
                ),
                DriftedField("metadata.labels.team", "storefront", ABSENT),
            ),
            (Wanted("base/web.yaml", 14, SHOP), Wanted("env/prod/web.yaml", 8, OLDER)),
        ),
        Drift(
            "shop",
            Identity("", "ConfigMap", "shop", "site"),
            DriftKind.EDITED,
            before(hours=1),
            DriftMode.HEAL,
            DriftState.FIGHT,
            (DriftedField("data.site.conf", lines, lines.replace("65", "5"), (Author("config-tuner", "Update"),)),),
            (Wanted("base/web.yaml", 2, OLDER),),
            until=NOW + timedelta(minutes=20),
            reason="config-tuner and reconciler set data.site.conf in turn",
            times=12,
        ),
        Drift(
            "shop",
            KEYS,
            DriftKind.EDITED,
            before(minutes=30),
            DriftMode.HEAL,
            DriftState.WAITING,
            (DriftedField("data.stripe", CHANGED, CHANGED, (Author("kubectl", "Update", before(minutes=31)),)),),
            until=NOW + timedelta(hours=2),
            reason="maintenance window until 11:30",
        ),
    )


def rows(*, many: int = 0) -> list[Row]:
    """Some objects of every health; with `many` that number of ConfigMaps and Deployments in 50 namespaces beside."""
    found = [
        Row(
            "shop",
            CART,
            Health(Status.DEGRADED, "1 of 3 replicas ready: CrashLoopBackOff"),
            Origin("base/cart.yaml", 2, ""),
        ),
        Row(
            "shop",
            Identity("batch", "Job", "shop", "migrate-4f"),
            Health(Status.MISSING, "it is not in the cluster"),
            Origin("base/catalog.yaml", 27, ""),
        ),
        Row(
            "shop",
            WEB,
            Health(Status.PROGRESSING, "3 of 5 replicas ready"),
            Origin("base/web.yaml", 2, "", ("env/prod/web.yaml",)),
        ),
        Row(
            "platform",
            Identity("example.com", "Widget", "tools", LONG),
            Health(Status.UNKNOWN, EVIL),
            Origin("tools/widget.yaml", 1, ""),
        ),
        Row("platform", Identity("", "Namespace", "", "tools"), Health(Status.HEALTHY), Origin("tools/ns.yaml", 1, "")),
        Row("shop", Identity("", "ConfigMap", "shop", "site"), Health(Status.HEALTHY), Origin("base/web.yaml", 2, "")),
        Row(
            "shop",
            Identity("batch", "CronJob", "shop", "report"),
            Health(Status.SUSPENDED, "suspended"),
            Origin("base/catalog.yaml", 45, ""),
        ),
        Row("shop", KEYS, Health(Status.HEALTHY), Origin("base/keys.yaml", 1, "")),
        Row("shop", Identity("", "PersistentVolumeClaim", "shop", "old-data"), Health(Status.HEALTHY, "Bound"), None),
    ]
    for number in range(many):
        kind = ("", "ConfigMap") if number % 2 else ("apps", "Deployment")
        identity = Identity(*kind, f"team-{number % 50}", f"object-number-{number}")
        found.append(
            Row("shop", identity, Health(Status.HEALTHY, "2 of 2 replicas ready"), Origin("many.yaml", number + 1, ""))
        )
    return found


def overall(*, many: int = 0) -> Overall:
    """Two sources in trouble and one that is well."""
    every = rows(many=many)
    counts = {name: Counter(row.health.status for row in every if row.source == name) for name in ("shop", "platform")}
    problem = Problem(
        Severity.ERROR,
        "wrong-type",
        Location("env/prod/search.yaml", 14, 13),
        '"three" is not an integer',
        subject="Deployment/search spec.replicas",
        excerpt="  replicas: three",
        hint="leave it out and it stays what the cluster, or an autoscaler there, makes it",
    )
    why = "held: 9 of 31 objects would go, more than the guard allows"
    hint = "reconciler prune shop --approve, or the trailer Reconciler-Allow-Prune: 9 in a commit"
    held = tuple(
        Held(Identity("", "ConfigMap", "shop", f"old-{n}"), f"uid-{n}", why, hint, deletion=True) for n in range(9)
    )
    passes = (
        Pass(SHOP, before(minutes=2, seconds=4), before(minutes=2), ok=True, done={"update": 2, "create": 1}),
        Pass(
            OLDER,
            before(hours=5),
            before(hours=5),
            ok=False,
            failed=1,
            messages=("Deployment/shop/search: quota exceeded",),
        ),
        Pass(OLDER, before(hours=6), before(hours=6), ok=True, superseded=True),
    )
    shop = SourceStatus(
        "shop",
        "https://git.example.com/shop/specs.git",
        "main",
        ("base", "env/prod"),
        Standing.SYNCED,
        SHOP,
        Mark(SHOP.commit, before(minutes=2)),
        counts=counts["shop"],
        held=held,
        problems=(problem, replace(problem, severity=Severity.WARNING, message="yes is true to YAML 1.1")),
        skipped=(Skipped("base/link.yaml", SkipReason.SYMLINK, "to ../secrets"),),
        passes=passes,
        images={
            Identity("reconciler.dev", "Image", "shop", "search"): Unknown("the image is being built"),
            Identity("reconciler.dev", "Image", "shop", "web"): f"registry.example.com/shop/web:1.5@sha256:{'0' * 64}",
        },
    )
    platform = SourceStatus(
        "platform",
        "git@git.example.com:platform/a/rather/long/path/to/the/repository/that/holds/it/all.git",
        "semver:>=1.0 <2",
        (".",),
        Standing.FAILING,
        PLATFORM,
        unreachable="no answer from git.example.com within 60 s",
        trouble="1 failed",
        counts=counts["platform"],
    )
    blog = SourceStatus("blog", "https://git.example.com/blog.git", "main", (".",), Standing.SUSPENDED)
    failed = Event(
        EventType.FAILED,
        before(minutes=3),
        "platform",
        f"the server refused it: {EVIL}",
        Identity("example.com", "Widget", "tools", LONG),
        hint="see the Widget's definition",
    )
    events = (
        Event(EventType.DRIFTED, before(minutes=4), "shop", "spec.replicas is 5, Git states 3", WEB),
        failed,
        Event(EventType.READY, before(hours=7), "", "the cluster answers; this is install prod-eu"),
    )
    gone = Identity("batch", "CronJob", "shop", "report")
    healed = Drift(
        "shop",
        gone,
        DriftKind.DELETED,
        before(minutes=9),
        DriftMode.HEAL,
        DriftState.HEALED,
        wanted=(Wanted("base/web.yaml", 2, OLDER),),
        ended=before(minutes=8),
    )
    return Overall(
        NOW,
        "0.1.0",
        "prod-eu",
        (),
        (shop, platform, blog),
        tuple(every),
        drifts(),
        (healed,),
        (failed,),
        events,
        PlannerStatus(Newest(planned(), before(seconds=20), loads(), foreseen), "reconciler-1", ours=True),
    )


def loads() -> tuple[NodeLoad, ...]:
    """Two pools of nodes: one is full, one empty, one away."""
    half, full, empty = Share(0.25, 0.5), Share(0.5, 1.0), Share(0.0, 0.0)
    return (
        NodeLoad("general-1", "general", "a", {"cpu": full, "memory": half}),
        NodeLoad("general-2", "general", "b", {"cpu": half, "memory": half}),
        NodeLoad("gpu-1", "gpu", "a", {"cpu": half, "memory": empty, "gpu": Share(0.5, 1.5)}),
        NodeLoad("gpu+0000", "gpu", "b", {"cpu": empty, "memory": empty, "gpu": empty}, there=False),
    )


def foreseen(document: str) -> Curve | None:
    """Only of `web` is there a forecast."""
    if document != "Deployment/shop/web":
        return None
    demand, ready, carried = (1.0, 2.0, 3.0), (None, 1.5, 2.5, 3.5), (None, 2.0, 3.0, 4.0)
    one = Carrying(1.0, "cores")
    return Curve("now, times 1.1", before(hours=1), 300.0, demand, ready, (None, 2, 3, 4), carried, one)


def planned() -> PlannedCluster:
    """One workload is placed, one waits for a roll-out, one has no place."""

    def option(zone: str, fit: float) -> ShownCandidate:
        terms = (WeighedTerm("f", "fit", fit, 0.05), WeighedTerm("g", "zone", 1.0, 0.2))
        return ShownCandidate(sum(term.contribution for term in terms), terms, pool="general", zone=zone)

    why = "the profile's 2, while nothing says what is asked of it"
    web = PlannedWorkload(
        "Deployment/shop/web",
        *WEB,
        source="shop",
        replicas=2,
        profile="cost",
        weights={"spread": 0.2},
        amounts={"replicas": Amount("2", why), "cpu": Amount("250m", "the configuration's default")},
        places=(PlacedShare(1, "general", "a"), PlacedShare(1, "general", "b")),
        choices=(ShownChoice(option("a", 0.5), option("b", 0.25)),),
        template=Template({"cpu": "100m"}, ("zone", "node")),
        pending=Template({"cpu": "250m"}, ("zone", "node")),
    )
    lack = Waiting(1, "capacity", f"all nodes are too full {EVIL}", "free 4000m cpu on general-1")
    cart = PlannedWorkload("Deployment/shop/cart", *CART, source="shop", replicas=1, unplaced=lack)
    done = PlannedWorkload(
        "Task/shop/migrate",
        "batch",
        "Job",
        "shop",
        "migrate-0a1b",
        source="shop",
        replicas=1,
        places=(PlacedShare(1, "general", "a"),),
    )
    return PlannedCluster(
        VERSION,
        before(minutes=3),
        "reconciler-1",
        "resilient",
        0.42,
        4,
        2,
        2,
        {"cpu": Share(0.25, 0.5)},
        3.0,
        4.0,
        0.25,
        (cart, web, done),
        notes=(f"Node/odd is left out: {EVIL}",),
    )


def huge() -> Overall:
    """As much of everything as a cluster and its people can bring about."""
    long, wide = "word " * 10_000, "w" * 253
    sources, every, found = [], [], []
    held = tuple(Held(Identity("", "ConfigMap", wide, f"{n}"), f"u{n}", f"{n} {long[:5000]}", long) for n in range(500))
    for number in range(200):
        name = f"{number:03}{'s' * 60}"
        problem = Problem(Severity.ERROR, "bad-value", Location("p" * 200, 1, 1), long, subject=long, hint=long)
        revision = replace(SHOP, author=long, subject=long)
        each = Pass(revision, NOW, NOW, ok=False, failed=9, messages=(long[:300],) * 5)
        words = {"unreachable": long, "trouble": long, "missing": (long,) * 20, "paths": (long,) * 20}
        counts = dict.fromkeys(Status, 1000)
        sources.append(
            SourceStatus(
                name,
                long[:2000],
                wide,
                standing=Standing.FAILING,
                revision=revision,
                applied=Mark(SHOP.commit, NOW),
                counts=counts,
                held=held,
                problems=(problem,) * 30 + (replace(problem, severity=Severity.WARNING),) * 30,
                skipped=(Skipped(long, SkipReason.TOO_LARGE, long),) * 30,
                passes=(each,) * 50,
                **words,
            )
        )
    for number in range(20_000):
        identity = Identity(wide, f"K{number % 30:060}", f"{number % 2000:04}{wide[4:]}", f"{number:05}{wide[5:]}")
        every.append(Row(sources[0].name, identity, Health(Status.DEGRADED, long), Origin(wide, 1, "", (wide,) * 20)))
    text = "\n".join("line " * 80 for _ in range(30))
    by = (Author(wide, "Update", NOW, "status"),) * 20
    values = [
        ("x" + text, text),
        (ABSENT, text),
        ([text], {"a": text}),
        (text * 3, "y" + text * 3),
        ("<" * 40, ">" * 40),
    ]
    fields = tuple(DriftedField(f"{n}.{wide}", *values[n % len(values)], by) for n in range(100))
    for row in every[:300]:
        kind, state = DriftKind.REPLACED, DriftState.FIGHT
        wanted = (Wanted("p" * 200, 1, replace(SHOP, author=long, subject=long)),) * 20
        drift = Drift(
            row.source, row.identity, kind, NOW, DriftMode.ALERT, state, fields, wanted, reason=long, times=99
        )
        found.append(drift)
    event = Event(EventType.FAILED, NOW, sources[0].name, long, every[0].identity, hint=long, subject=wide)
    ended = tuple(replace(drift, ended=NOW) for drift in found[:100])
    return Overall(
        NOW,
        "0.1.0",
        wide,
        (long,) * 200,
        tuple(sources),
        tuple(every),
        tuple(found),
        ended,
        (event,) * 500,
        (event,) * 100,
        PlannerStatus(Newest(_much(long, wide), NOW, tuple(_crowd(wide))), wide, ours=True, lacking=(long,) * 30),
    )


def _much(long: str, wide: str) -> PlannedCluster:
    lack = Waiting(9, "capacity", long, long)
    terms = tuple(WeighedTerm("f", f"term-{n}", 0.5, 1.0) for n in range(14))
    choice = ShownChoice(ShownCandidate(7.0, terms, what=long, amount=long), ShownCandidate(7.0, terms), wide)
    identities = [
        Identity(wide, f"K{n % 30:060}", f"{n % 2000:04}{wide[4:]}", f"{n:05}{wide[5:]}") for n in range(5000)
    ]
    workloads = (
        PlannedWorkload(
            wide,
            *identity,
            amounts={name: Amount(wide, long) for name in ("replicas", "cpu", "memory")},
            places=tuple(PlacedShare(9, wide, wide) for _ in range(9)),
            choices=(choice,) * 9,
            unplaced=lack,
        )
        for identity in identities
    )
    return PlannedCluster(VERSION, NOW, workloads=tuple(workloads), notes=(long,) * 51)


def _crowd(wide: str) -> Iterator[NodeLoad]:
    for number in range(10_000):
        parts = {name: Share(0.5, 0.9) for name in ("cpu", "memory", "gpu")}
        yield NodeLoad(f"{number:05}{wide[5:]}", f"{number // 100:03}{wide[3:60]}", f"{number % 3}{wide[1:60]}", parts)


class StagedView:
    """A View of an Overall that tests may exchange."""

    def __init__(self, shown: Overall) -> None:
        self.shown = shown
        self.journal = Journal("boot")
        self.changes = 0

    def change(self, shown: Overall) -> None:
        self.shown = shown
        self.changes += 1

    def stamp(self) -> Hashable:
        return self.journal.last, self.changes

    def overall(self) -> Overall:
        return self.shown

    def detail(self, group: str | None, kind: str, namespace: str, name: str) -> Detail | None:
        for row in self.shown.rows:
            if row.identity[1:] == (kind, namespace, name) and group in (None, row.identity.group):
                return self._detail(row)
        return None

    def _detail(self, row: Row) -> Detail:
        return Detail(
            row,
            self.shown.drift_of(row.source, row.identity),
            tuple(drift for drift in self.shown.ended if drift.identity == row.identity),
            None,
            tuple(event for event in self.shown.wrong if event.identity == row.identity),
            tuple(event for event in self.shown.events if event.identity == row.identity),
            "Deployment/shop/web",
            (Identity("", "Namespace", "", "tools"), KEYS),
            {"apiVersion": "v1", "kind": row.identity.kind, "metadata": {"name": row.identity.name}, "evil": EVIL},
            "2026-01-01T00:00:00Z",
            "1b2c",
            (
                Manager(Author("reconciler", "Apply", before(hours=2)), 12),
                Manager(Author("kubelet", "Update", NOW, "status"), 1),
            ),
            (Condition("Available", "False", f"MinimumReplicasUnavailable: {EVIL}"),),
        )
