"""Collect what the embedded API server and a real one disagree on: python tests/contract/disagreements.py FOLDER

FOLDER is that of a running `python tests/controlplane/serve.py FOLDER --no-controllers`. Where the test of the same
sequences (test_fuzz.py) ends at the first disagreement, this goes on, makes each one small, and tells those that look
alike once, the most frequent first. Its exit status is the number of different ones, at most 99.
"""

# ruff: noqa: T201 - a command prints, and finds its modules by itself

import argparse
import itertools
import json
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from random import Random

sys.path.insert(0, str(Path(__file__).parents[1] / "support"))

from generated_calls import Disagreement, Pair, sequence
from kubernetes_api import Connection
from kubernetes_server import KubernetesServer


def tags() -> Iterator[str]:
    return (f"c{int(time.time()):x}-{number}" for number in itertools.count(1))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("folder", type=Path)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--count", type=int, default=500, help="sequences")
    parser.add_argument("--answers", action="store_true", help="also tell which answers were met")
    options = parser.parse_args()
    url = json.loads((options.folder / "server.json").read_text())["url"]
    pair = Pair(Connection(KubernetesServer(options.folder.resolve(), url, tags())))
    found: dict[str, Disagreement] = {}
    times: Counter[str] = Counter()
    answered: Counter[str] = Counter()

    for number in range(options.count):
        steps = sequence(Random(f"{options.seed}/{number}"))
        times.update({"sequences": 1, "calls": len(steps)})
        if (disagreement := pair.play(steps, answered)) is not None:
            key = disagreement.look
            if key not in found:
                found[key] = pair.smallest(disagreement)
            times[key] += 1
    for key in sorted(found, key=lambda each: -times[each]):
        print(f"\n=== {times[key]} times: {key}\n{found[key]}")
    if options.answers:
        for answer, count in sorted(answered.items()):
            print(f"{count:6} {answer}")
    print(f"{times['sequences']} sequences of {times['calls']} calls, {len(found)} different disagreements")
    sys.exit(min(len(found), 99))


if __name__ == "__main__":
    main()
