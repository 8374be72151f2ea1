"""Requests of our profiles beside the Vertical Pod Autoscaler's formula, on SYNTHETIC use: seeded, measured nowhere.

    python benchmarks/planner_requests.py [--containers 200] [--days 21]

Made-up containers: CPU with a day's curve, noise and bursts; memory with a day's peak, some that leak until they are
restarted, some whose level a release changes. Each day begins with a roll-out, which takes what is advised from all
days before; a container whose memory goes above its request is killed, and the history hears of it. The first week is
not counted. Slack is what was requested and not used, as a part of what was requested; killed is the share of days with
a kill. `vpa` is its formula: the 90th percentile and 15 %, changed where its bounds say so.
"""

import argparse
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import numpy as np

from reconciler.kube.names import Identity
from reconciler.model.planning_policy import Policy
from reconciler.model.usage import Spread
from reconciler.planner.choosing import choose_request
from reconciler.planner.requests import HEADROOM, PLAIN, Rule, advise
from reconciler.usage.history import History

BEGIN = datetime(2026, 1, 1, tzinfo=UTC)
STEPS = 96  # of a day
WARM_UP = 7  # days
METHODS = ("vpa", "cost", "balanced", "resilient")
SEED = 1


class Used(NamedTuple):
    """Cores and bytes at each step, days × steps."""

    cpu: np.ndarray
    memory: np.ndarray


class Result(NamedTuple):
    cpu_slack: float
    memory_slack: float
    killed: float


def synthetic(containers: int, days: int, seed: int = SEED) -> Iterator[Used]:
    """Containers that nobody ran."""
    random = np.random.default_rng(seed)
    hours = np.arange(STEPS) * 24 / STEPS
    for _ in range(containers):
        level = random.lognormal(-1.5, 1.0) * np.ones((days, 1))
        size = random.lognormal(math.log(300e6), 0.8) * np.ones((days, 1))
        if random.random() < 0.3:  # a release
            at = random.integers(days)
            level[at:] *= random.uniform(0.6, 1.6)
            size[at:] *= random.uniform(0.7, 1.5)
        curve = 1 + random.uniform(0, 0.8) * np.sin(2 * np.pi * (hours + random.uniform(0, 24)) / 24)
        bursts = 1 + random.pareto(3, (days, STEPS)) * random.uniform(0, 0.5)
        cpu = level * curve * random.gamma(20, 1 / 20, (days, STEPS)) * bursts
        peaks = 1 + random.gamma(2, random.uniform(0.01, 0.1), (days, 1)) * curve / curve.max()
        leak = 1 + random.uniform(0, 0.4) * (random.random() < 0.2) * np.linspace(0, 1, STEPS)
        yield Used(cpu, size * peaks * leak * random.normal(1, 0.01, (days, STEPS)))


def replay(used: Used, method: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The requests of each day, and whether it was killed: days × 1 each; NaN before there is advice."""
    history, workload = History(), Identity("", "", "", "synthetic")
    days = len(used.cpu)
    cpu, memory, killed = (np.full((days, 1), math.nan) for _ in range(3))
    request: tuple[float | None, float | None] = (None, None)
    for day in range(days):
        begin = BEGIN + timedelta(days=day)
        known = history.usage().containers.get(workload, {}).get("synthetic")
        if known is not None:
            rules = (_rule("cpu", known.cpu, method), _rule("memory", known.memory, method))
            found = advise(known, cpu=request[0], memory=request[1], now=begin, rules=rules)
            request = (found[0].wanted, found[1].wanted)
            cpu[day], memory[day] = request
            killed[day] = used.memory[day].max() > memory[day, 0]
        for step in range(STEPS):
            when = begin + timedelta(days=step / STEPS)
            held = min(used.memory[day, step], memory[day, 0] if known is not None else math.inf)
            history.observe(workload, "synthetic", cpu=used.cpu[day, step], memory=held, when=when, now=when)
        if killed[day] == 1:
            history.killed(
                workload, "synthetic", memory=memory[day, 0], when=(late := begin + timedelta(hours=23)), now=late
            )
    return cpu, memory, killed


def _rule(name: str, spread: Spread | None, method: str) -> Rule:
    if method == "vpa" or spread is None:
        return PLAIN
    return choose_request(name, spread, HEADROOM, Policy(method)).rule


def compare(containers: int = 200, days: int = 21) -> dict[str, Result]:
    """Of each method."""
    made = list(synthetic(containers, days))
    found = {}
    for method in METHODS:
        each = np.array([_result(used, *replay(used, method)) for used in made])
        found[method] = Result(*map(float, each.mean(axis=0)))
    return found


def _result(used: Used, cpu: np.ndarray, memory: np.ndarray, killed: np.ndarray) -> Result:
    def slack(had: np.ndarray, use: np.ndarray) -> float:
        return float(np.maximum(had - use, 0)[WARM_UP:].mean() / had[WARM_UP:].mean())

    return Result(slack(cpu, used.cpu), slack(memory, used.memory), float(killed[WARM_UP:].mean()))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--containers", type=int, default=200)
    parser.add_argument("--days", type=int, default=21)
    arguments = parser.parse_args()
    found = compare(arguments.containers, arguments.days)
    show(found)
    print(json.dumps({"requests": rounded(found)}))


def show(found: dict[str, Result]) -> None:
    print(f"{'requests (synthetic)':38} {'CPU slack':>10} {'memory slack':>13} {'days killed':>12}")
    for method, result in found.items():
        print(f"{method:38} {result.cpu_slack:10.1%} {result.memory_slack:13.1%} {result.killed:12.2%}")


def rounded(found: dict[str, Result]) -> dict[str, dict[str, float]]:
    """For JSON."""
    return {name: {key: round(value, 3) for key, value in each._asdict().items()} for name, each in found.items()}


if __name__ == "__main__":
    main()
