"""Replicas from forecasts beside the HorizontalPodAutoscaler's rule, on public series of demand.

    python benchmarks/planner_autoscale.py [--series FILE.csv …]

Each series is replayed; its first third is warm-up. Both methods are swept (the autoscaler's target utilisation, our
nominal risk) to the cheapest setting with at most 1 % and 5 % of steps in which demand was above what was ready, and
are compared by the replica-hours that this costs. Fixed for both: a replica serves a 20th of the median demand; a pod
is ready 60 s, at least one step, after it was asked for; a replica that is asked for is paid for. The autoscaler has
its defaults: tolerance 0.1, 300 s of stabilisation downward. Requests are compared on synthetic use: planner_requests.
"""

import argparse
import csv
import gzip
import json
import math
import sys
from collections.abc import Callable, Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

import numpy as np
from planner_requests import compare, rounded, show

from reconciler.planner.carrying import Carrying
from reconciler.planner.demand import replicas, trials
from reconciler.planner.forecast import DAY, Array, forecasts

DATA = Path(__file__).parent / "data"
MEDIAN = 20  # replicas that serve the median demand
START = 60.0  # seconds until a pod is ready
TOLERANCE, STABILISATION = 0.1, 300.0
TARGETS = (0.01, 0.05)
LLM_STEP = 10.0
REFIT = DAY / 4  # seconds, or a 60th of the series where it is shorter


class Series(NamedTuple):
    name: str
    demand: Array
    step: float  # seconds

    @property
    def lag(self) -> int:
        return max(1, math.ceil(START / self.step))

    @property
    def capacity(self) -> float:
        return float(np.median(self.demand[self.demand > 0])) / MEDIAN

    @property
    def carrying(self) -> Carrying:
        return Carrying(self.capacity, "of the series")

    @property
    def begin(self) -> int:
        return len(self.demand) // 3


def read(path: Path) -> Series:
    """`timestamp,value` at even steps; or requests with their tokens, added up over 10 s."""
    with gzip.open(path, "rt") if path.suffix == ".gz" else path.open() as file:
        rows = list(csv.DictReader(file))
    name = path.name.removesuffix(".gz").removesuffix(".csv")
    if "ContextTokens" in rows[0]:
        times = np.array([datetime.fromisoformat(row["TIMESTAMP"][:26]).timestamp() for row in rows])
        # A token that is generated costs about ten that are read.
        work = np.array([float(row["ContextTokens"]) + 10 * float(row["GeneratedTokens"]) for row in rows])
        return Series(name, np.bincount(((times - times.min()) // LLM_STEP).astype(int), weights=work), LLM_STEP)
    times = [datetime.fromisoformat(row["timestamp"]).timestamp() for row in rows]
    values = np.array([max(0.0, float(row["value"])) for row in rows])
    return Series(name, values, float(np.median(np.diff(times))))


def autoscaler(series: Series, target: float) -> Array:
    """What the autoscaler asks for at the end of each step: ⌈replicas × use / target⌉."""
    demand, capacity = series.demand, series.capacity
    window = int(STABILISATION // series.step) + 1
    current = max(1, math.ceil(demand[0] / capacity / target))
    wishes: list[int] = []
    asked = np.empty(len(demand))
    for t, value in enumerate(demand):
        ratio = value / (current * capacity) / target
        wish = current if abs(ratio - 1) <= TOLERANCE else max(1, math.ceil(current * ratio - 1e-9))
        wishes.append(wish)
        current = wish if wish > current else max(wishes[-window:])
        asked[t] = current
    return asked


def planned(series: Series, made: Callable[[], tuple]) -> Callable[[float], Array]:
    """What we ask for at the end of each step, as a function of the risk; the rule is chosen anew every six hours."""
    bases = made()
    by_name = {forecast.name: forecast.values for forecast in bases}
    size, lag = len(series.demand), series.lag
    refit = max(1, min(round(REFIT / series.step), size // 60))

    def asked(risk: float) -> Array:
        made = np.ones(size)
        for now in range(max(1, series.begin - lag), size + 1, refit):
            tried = trials(bases, series.demand, now, series.step, lag, series.carrying, risk)
            if not tried:
                continue
            found = min(tried, key=lambda each: each.cost)
            span = slice(now - 1, now - 1 + refit)
            made[span] = replicas(found.rule.expected(by_name[found.rule.forecast][span]), series.carrying)
        return made

    return asked


class Result(NamedTuple):
    cost: float  # replicas on average
    violations: float
    setting: float


def replay(series: Series, asked: Array, setting: float) -> Result:
    """More replicas are ready `lag` steps after they were asked for, fewer at once."""
    size, lag, begin = len(asked), series.lag, series.begin
    ready = np.full(size, asked[0])
    ready[1:] = np.min([np.concatenate([np.full(shift, asked[0]), asked])[: size - 1] for shift in range(lag)], axis=0)
    short = series.demand[begin:] > ready[begin:] * series.capacity + 1e-9
    return Result(float(asked[begin - 1 : -1].mean()), float(short.mean()), setting)


def cheapest(results: Iterable[Result], target: float) -> Result | None:
    return min((r for r in results if r.violations <= target), key=lambda r: r.cost, default=None)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--series", type=Path, nargs="*", help="other series (default: all in benchmarks/data)")
    paths = parser.parse_args().series or sorted((*DATA.glob("nab/*.csv.gz"), *DATA.glob("azure_llm/*.csv.gz")))
    print(f"{'series':38} {'short':>6} {'HPA':>8} {'target':>7} {'planned':>8} {'risk':>7} {'ratio':>6}")
    ratios = []
    for path in paths:
        series = read(path)
        targets = np.geomspace(0.02, 1.3, 120)
        by_rule = [replay(series, autoscaler(series, float(target)), float(target)) for target in targets]
        ask = planned(series, lambda series=series: forecasts(series.demand, step=series.step, lag=series.lag))
        by_plan = [replay(series, ask(float(risk)), float(risk)) for risk in np.geomspace(1e-4, 0.35, 60)]
        for target in TARGETS:
            hpa, ours = cheapest(by_rule, target), cheapest(by_plan, target)
            if hpa is None or ours is None:
                who = "the autoscaler" if hpa is None else "the planner"
                print(f"{series.name:38} {target:6.0%} not reached by {who}", file=sys.stderr)
                continue
            ratios.append(ours.cost / hpa.cost)
            row = f"{hpa.cost:8.1f} {hpa.setting:7.2f} {ours.cost:8.1f} {ours.setting:7.4f} {ratios[-1]:6.3f}"
            print(f"{series.name:38} {target:6.0%} {row}")
    requests = compare()
    show(requests)
    found = {"worst_vs_hpa": round(max(ratios), 3), "mean_vs_hpa": round(sum(ratios) / len(ratios), 3)}
    print(json.dumps({**found, "requests": rounded(requests)}), flush=True)


if __name__ == "__main__":
    main()
