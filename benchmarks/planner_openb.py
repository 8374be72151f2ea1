"""GPU allocation on traces of a production cluster: the published fragmentation gradient descent (FGD), ours, a bound.

    python benchmarks/planner_openb.py [--seeds 10] [--pods FILE --nodes FILE] [--rounds 4000] [--processes 2]
        [--frontier]

The published protocol: per seed (from 42) the whole trace in a random order, then pods drawn with replacement until
130 % of the GPUs were asked for; a pod that fits nowhere is gone. Allocated / total is read when 100 % and 130 % were
asked for. `ours` places one pod after another as it comes and knows nothing of those to come, not even their mix: that
is learned from the arrivals. `own FGD` is FGD made anew (published_fgd.py), which knows the mix: so that ours can be
compared on traces for which nothing was published, pod for pod. `own BestFit` is our best fit and nothing else.

`full_load` is the largest load, in percent of the GPUs, at which every pod that has arrived is placed, when those that
are there may be moved; `bound` the largest at which a linear relaxation still finds room for all. Both are null where a
pod of the trace fits no node.

One set of parameters for all traces. The last line is JSON: by trace {"online_100", "fgd_published_100", "fgd_own_100",
"bound_100", "full_load", "bound"}, means over the seeds.
"""

import argparse
import csv
import json
import multiprocessing
import time
from dataclasses import dataclass
from pathlib import Path
from random import Random

import numpy as np
from planner_cuts import tightened
from planner_online import Packer
from published_fgd import PublishedFgd

from reconciler.model.planning_policy import Policy, TermName
from reconciler.planner.bins import Bins
from reconciler.planner.items import Ask, Bin, Item, Places
from reconciler.planner.packing import Nodes, Slot
from reconciler.planner.pool_lp import PoolProgram, fitting
from reconciler.planner.search import Search
from reconciler.planner.shapes import DEVICE, Classes, Floats, Ints, Shapes
from reconciler.planner.states import States, Weights

DATA = Path(__file__).parent / "data" / "openb"
NODES = DATA / "openb_node_list_gpu_node.csv"
TRACES = ("default", "cpu250", "gpuspec33")
LOADS = (100, 130)
LEARN_FIRST, LEARN_AGAIN = 64, 1.5  # arrivals after which the mix is taken, and how many times as many each next time
STICKY_LOAD = 96
PRICES = (0.0, 0.005, 0.01, 0.02, 0.03, 0.05)  # of moving one pod, in GPUs
LADDER = 0.05  # percent of the GPUs that arrive between two searches


@dataclass(frozen=True, slots=True)
class Trace:
    """`pods` are the shapes of the pods in the trace's order, `kinds` the classes of the nodes."""

    classes: Classes
    shapes: Shapes
    kinds: Ints
    pods: Ints

    @property
    def total(self) -> int:
        return int(self.classes.gpus[self.kinds].sum()) * DEVICE


def read(pods: Path, nodes: Path) -> Trace:
    kinds: dict[tuple[str, int, int, int], int] = {}
    shapes: dict[tuple[int, int, int, int, frozenset[str]], int] = {}
    with nodes.open() as file:
        of_node = [
            kinds.setdefault((row["model"], int(row["cpu_milli"]), int(row["memory_mib"]), int(row["gpu"])), len(kinds))
            for row in csv.DictReader(file)
        ]
    of_pod = []
    with pods.open() as file:
        for row in csv.DictReader(file):
            count = int(row["num_gpu"])
            models = frozenset(filter(None, row["gpu_spec"].split("|")))
            shape = (
                int(row["cpu_milli"]),
                int(row["memory_mib"]),
                count,
                int(row["gpu_milli"]) if count else 0,
                models,
            )
            of_pod.append(shapes.setdefault(shape, len(shapes)))
    allowed = np.array([[not shape[4] or kind[0] in shape[4] for shape in shapes] for kind in kinds])
    return Trace(
        Classes(np.array([kind[1:3] for kind in kinds]), np.array([kind[3] for kind in kinds])),
        Shapes(
            np.array([shape[:2] for shape in shapes]),
            np.array([shape[2] for shape in shapes]),
            np.array([shape[3] for shape in shapes]),
            allowed,
        ),
        np.array(of_node),
        np.array(of_pod),
    )


def arrivals(trace: Trace, seed: int) -> list[int]:
    random = Random(seed)
    order = [int(shape) for shape in trace.pods]
    random.shuffle(order)
    asked, gpu = int(trace.shapes.gpu[order].sum()), trace.shapes.gpu
    while asked < trace.total * LOADS[-1] / 100:
        shape = int(trace.pods[int(random.random() * len(trace.pods))])
        order.append(shape)
        asked += int(gpu[shape])
    return order


class Reader:
    """Allocated percent when so much was asked for."""

    def __init__(self, trace: Trace) -> None:
        self._total, self._gpu = trace.total, trace.shapes.gpu
        self._asked = self._allocated = 0
        self.at: dict[int, float] = {}

    def note(self, shape: int, placed: bool) -> None:
        self._asked += int(self._gpu[shape])
        self._allocated += int(self._gpu[shape]) * placed
        for load in LOADS:
            if load not in self.at and self._asked >= self._total * load / 100:
                self.at[load] = 100 * self._allocated / self._total


def weights() -> Weights:
    policy = Policy()
    return Weights(*(policy.weight(name) for name in (TermName.FIT, TermName.BALANCE, TermName.FRAGMENTATION)))


def online(trace: Trace, order: list[int]) -> dict[int, float]:
    """Ours, without knowledge of what comes."""
    packer = Packer(trace.classes, trace.shapes, trace.kinds, weights(), Policy().weight(TermName.SCARCITY))
    reader, seen = Reader(trace), np.zeros(len(trace.shapes.count), np.int64)
    learn = LEARN_FIRST
    for number, shape in enumerate(order, 1):
        seen[shape] += 1
        if number == learn:
            packer.expect(seen)
            learn = int(learn * LEARN_AGAIN)
        reader.note(shape, packer.place(shape, seen.astype(np.float64)) is not None)
    return reader.at


def published_fgd(trace: Trace, order: list[int], seed: int) -> dict[int, float]:
    fgd, reader = PublishedFgd(trace.classes, trace.shapes, trace.kinds, trace.pods, Random(seed)), Reader(trace)
    for shape in order:
        reader.note(shape, fgd.place(shape))
    return reader.at


def greedy(trace: Trace, order: list[int], states: States) -> tuple[dict[int, float], list[Slot | None]]:
    """The best state for each, and nothing else."""
    states.expect(np.bincount(trace.pods, minlength=len(trace.shapes.count)))
    nodes, reader, slots = Nodes(states, trace.kinds), Reader(trace), []
    nodes.settle(trace.classes.capacity[trace.kinds])
    for shape in order:
        score = states.score(shape, nodes.number)
        node = int(score.argmax())
        slots.append(nodes.put(shape, node) if score[node] != -np.inf else None)
        reader.note(shape, slots[-1] is not None)
    return reader.at, slots


def bounds(trace: Trace, order: list[int]) -> tuple[float, int]:
    """The bound at 100 % asked for, in percent; and how many of the first pods a relaxation finds room for."""
    gpu, count = trace.shapes.gpu, len(trace.shapes.count)
    nodes = np.bincount(trace.kinds, minlength=len(trace.classes.gpus))
    program = PoolProgram(trace.classes, trace.shapes, nodes)
    asked = np.cumsum(gpu[order])
    hundred = int(np.searchsorted(asked, trace.total)) + 1

    def demand(pods: int) -> Floats:
        return np.bincount(order[:pods], minlength=count).astype(np.float64)

    value = gpu.astype(np.float64)
    at_100 = tightened(program, trace.classes, trace.shapes, demand(hundred), value).objective / trace.total * 100
    ones = np.ones(count)
    low, high = 0, min(len(trace.pods), hundred)
    while high - low > 1:
        middle = (low + high) // 2
        if tightened(program, trace.classes, trace.shapes, demand(middle), ones).objective >= middle - 1e-6:
            low = middle
        else:
            high = middle
    return at_100, low


def asks_and_bins(trace: Trace) -> tuple[list[Ask], list[Bin]]:
    """The shapes and the empty nodes, as the search takes them."""
    shapes, classes = trace.shapes, trace.classes
    asks = [
        Ask(
            tuple((resource, int(amount)) for resource, amount in enumerate(shapes.request[shape]) if amount),
            int(shapes.count[shape]),
            int(shapes.milli[shape]),
            frozenset(np.flatnonzero(shapes.allowed[:, shape]).tolist()),
        )
        for shape in range(len(shapes.count))
    ]
    bins = []
    for kind in trace.kinds:
        capacity = tuple(int(amount) for amount in classes.capacity[kind])
        bins.append(Bin(int(kind), capacity, capacity, (DEVICE,) * int(classes.gpus[kind])))
    return asks, bins


def worth(trace: Trace) -> list[float]:
    """What a pod of each shape counts: its GPUs, and hardly anything for its cores."""
    return [float(amount) for amount in trace.shapes.gpu / DEVICE + trace.shapes.request[:, 0] / 1e6]


def found_by(slots: list[Slot | None]) -> Places:
    return Places([slot.node if slot else -1 for slot in slots], [slot.devices if slot else 0 for slot in slots])


def full_load(trace: Trace, order: list[int], slots: list[Slot | None], bound: int, rounds: int, seed: int) -> int:
    """How many of the first pods are placed, all of them, when they may move. Climbs in small steps from where greedy
    first fails, each time from the packing before."""
    asks, bins = asks_and_bins(trace)
    values = worth(trace)
    items = [Item(shape, values[shape]) for shape in order[:bound]]
    asked = np.cumsum(trace.shapes.gpu[order[:bound]])
    placed = next((number for number, slot in enumerate(slots[:bound]) if slot is None), bound)
    places, random = found_by(slots[:placed]), Random(seed)
    while placed < bound:
        until = int(np.searchsorted(asked, asked[placed - 1] + trace.total * LADDER / 100)) + 1
        until = min(max(until, placed + 1), bound)
        tried = Places(places.node + [-1] * (until - placed), places.devices + [0] * (until - placed))
        outcome = Search(Bins(asks, bins, items[:until], tried, moves=len(order))).run(rounds, random)
        if outcome.waiting:
            break
        places, placed = tried, until
    return placed


def frontier(pods: Path, nodes: Path, seed: int, rounds: int) -> None:
    """What the price of a move buys: pods that wait beside running pods that are moved, at 96 % asked for."""
    trace = read(pods, nodes)
    order = arrivals(trace, seed)
    order = order[: int(np.searchsorted(np.cumsum(trace.shapes.gpu[order]), trace.total * STICKY_LOAD / 100))]
    _, slots = greedy(trace, order, States(trace.classes, trace.shapes, weights()))
    asks, bins = asks_and_bins(trace)
    values = [value + 0.5 for value in worth(trace)]  # dropping a pod is worse than moving it, however small
    waiting = sum(slot is None for slot in slots)
    print(f"\n{pods.stem}: {len(order)} pods, {STICKY_LOAD} % asked for, {waiting} wait")
    print("price of a move   moved    waiting")
    for price in PRICES:
        items = [
            Item(shape, values[shape], slot.node if slot else -1, price if slot else 0.0)
            for shape, slot in zip(order, slots, strict=True)
        ]
        places = found_by(slots)
        outcome = Search(Bins(asks, bins, items, places, moves=len(order))).run(rounds, Random(seed))
        moved = sum(slot is not None and slot.node != node for slot, node in zip(slots, places.node, strict=True))
        print(f"{price:15.3f} {100 * moved / len(order):6.2f} % {outcome.waiting:8}", flush=True)


@dataclass(frozen=True, slots=True)
class Result:
    online: dict[int, float]
    fgd: dict[int, float]
    best_fit: dict[int, float]
    bound_100: float
    full_load: float | None
    bound: float | None
    seconds: dict[str, float]


def one_seed(job: tuple[Path, Path, int, int]) -> Result:
    pods, nodes, seed, rounds = job
    trace = read(pods, nodes)
    order = arrivals(trace, seed)
    seconds, started = {}, time.perf_counter()

    def lap(name: str) -> None:
        nonlocal started
        seconds[name], started = time.perf_counter() - started, time.perf_counter()

    ours = online(trace, order)
    lap("online")
    fgd = published_fgd(trace, order, seed)
    lap("fgd")
    best_fit, _ = greedy(trace, order, States(trace.classes, trace.shapes, Weights(1, 0, 0)))
    lap("best fit")
    bound_100, pods_bound = bounds(trace, order)
    lap("bounds")
    full = bound = None
    present = np.unique(trace.pods)
    if fitting(trace.classes, trace.shapes)[present].any(axis=1).all():
        _, slots = greedy(trace, order[:pods_bound], States(trace.classes, trace.shapes, weights()))
        lap("greedy")
        placed = full_load(trace, order, slots, pods_bound, rounds, seed)
        lap("full load")
        gpu = trace.shapes.gpu
        full = 100 * int(gpu[order[:placed]].sum()) / trace.total
        bound = 100 * int(gpu[order[:pods_bound]].sum()) / trace.total
    return Result(ours, fgd, best_fit, bound_100, full, bound, seconds)


def published(name: str) -> dict[str, tuple[float, float]]:
    with (DATA / "published.csv").open() as file:
        return {
            row["policy"]: (float(row["at_100"]), float(row["at_130"]))
            for row in csv.DictReader(file)
            if row["trace"] == name
        }


def mean(values: list[float | None]) -> float | None:
    known = [value for value in values if value is not None]
    return round(sum(known) / len(known), 2) if known else None


def show(name: str, results: list[Result], papers: dict[str, tuple[float, float]]) -> dict[str, float | None]:
    print(f"\n{name}: GPU allocation, % of the GPUs ({len(results)} seeds)\n{'':24}{'@100':>8}{'@130':>8}")
    for policy, (at_100, at_130) in papers.items():
        print(f"{'published ' + policy:24}{at_100:8.2f}{at_130:8.2f}")
    for label, field in (("own BestFit", "best_fit"), ("own FGD", "fgd"), ("ours, online", "online")):
        row = [mean([getattr(result, field)[load] for result in results]) for load in LOADS]
        print(f"{label:24}{row[0]:8.2f}{row[1]:8.2f}")
    line = {
        "online_100": mean([result.online[100] for result in results]),
        "fgd_published_100": round(papers["FGD"][0], 2) if papers else None,
        "fgd_own_100": mean([result.fgd[100] for result in results]),
        "bound_100": mean([result.bound_100 for result in results]),
        "full_load": mean([result.full_load for result in results]),
        "bound": mean([result.bound for result in results]),
    }
    print(f"{'bound':24}{line['bound_100']:8.2f}")
    if line["full_load"] is not None:
        print(f"largest load with every pod placed: {line['full_load']:.2f}, at most {line['bound']:.2f}")
    laps = {lap: mean([result.seconds.get(lap) for result in results]) for lap in results[0].seconds}
    print("seconds a seed: " + ", ".join(f"{lap} {seconds}" for lap, seconds in laps.items()), flush=True)
    return line


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        "--pods", type=Path, help="a list of pods in the trace's format; without it the three that are here"
    )
    parser.add_argument("--nodes", type=Path, default=NODES)
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=4000, help="of the search at each step of the load")
    parser.add_argument("--processes", type=int, default=1)
    parser.add_argument("--frontier", action="store_true", help="only what moves buy, at 96 %%, for one seed")
    parser.add_argument("--traces", default=",".join(TRACES))
    options = parser.parse_args()
    files = (
        [options.pods] if options.pods else [DATA / f"openb_pod_list_{name}.csv" for name in options.traces.split(",")]
    )
    if options.frontier:
        for file in files:
            frontier(file, options.nodes, 42, options.rounds)
        return
    lines = {}
    with multiprocessing.Pool(options.processes) as pool:
        for file in files:
            jobs = [(file, options.nodes, seed, options.rounds) for seed in range(42, 42 + options.seeds)]
            name = file.name.removesuffix(".csv")
            lines[name.removeprefix("openb_pod_list_")] = show(name, pool.map(one_seed, jobs, 1), published(name))
    print(json.dumps(lines))


if __name__ == "__main__":
    main()
