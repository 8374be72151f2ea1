"""The optimum of a tiny packing by CP-SAT, in a process of its own: ortools brings a HiGHS that clashes with ours.

As a program it answers lines of JSON: {"nodes": [[cpu, memory, pods, gpus]], "needs": [[replicas, cpu, memory, gpus,
milli, worth]]} → the greatest Σ worth × replicas placed. The GPUs of a replica are devices of one node.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from typing import IO


class Oracle:
    """Asks the program."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, __file__], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
        )

    def optimum(self, nodes: Sequence[Sequence[int]], needs: Sequence[Sequence[float]]) -> float:
        question, answer = self._pipes()
        question.write(json.dumps({"nodes": nodes, "needs": needs}) + "\n")
        return float(answer.readline())

    def close(self) -> None:
        question, answer = self._pipes()
        question.close()
        self._process.wait()
        answer.close()

    def _pipes(self) -> tuple[IO[str], IO[str]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        return self._process.stdin, self._process.stdout


def _solve(nodes: Sequence[Sequence[int]], needs: Sequence[Sequence[int]]) -> float:
    from ortools.sat.python import cp_model

    model, worth = cp_model.CpModel(), []
    used: dict[tuple[int, int], list[cp_model.LinearExpr]] = {}
    for replicas, cpu, memory, gpus, milli, value in needs:
        for _ in range(replicas):
            on = [model.new_bool_var("") for _ in nodes]
            model.add(sum(on) <= 1)
            worth.append(value * sum(on))
            for number, node in enumerate(nodes):
                for what, amount in ((-1, cpu), (-2, memory), (-3, 1)):
                    used.setdefault((number, what), []).append(amount * on[number])
                if gpus:
                    devices = [model.new_bool_var("") for _ in range(node[3])]
                    model.add(sum(devices) == gpus * on[number])
                    for device, taken in enumerate(devices):
                        used.setdefault((number, device), []).append(milli * taken)
    for (number, what), parts in used.items():
        model.add(sum(parts) <= (1000 if what >= 0 else nodes[number][-what - 1]))
    model.maximize(sum(worth))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) != cp_model.OPTIMAL:
        raise SystemExit("no optimum was found")
    return float(solver.objective_value)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(f"{_solve(asked['nodes'], asked['needs'])}\n")
        sys.stdout.flush()
