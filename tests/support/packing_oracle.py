"""The optimum of a tiny packing by CP-SAT, in a process of its own: ortools brings a HiGHS that clashes with ours.

As a program it answers lines of JSON: {"nodes": [[cpu, memory, pods, gpus]], "needs": [[replicas, cpu, memory, gpus,
milli, worth]], …} → the greatest Σ worth × replicas placed. The GPUs of a replica are devices of one node. The rules:
"apart": [[need, other, domain of each node]]: no replica of the one in a domain with another of the other;
"even": [[need, domain of each node, skew]]: no domain has more than so many beyond the emptiest;
"limits": [[whether each node is in the pool, cpu]].
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

    def optimum(
        self, nodes: Sequence[Sequence[int]], needs: Sequence[Sequence[float]], **rules: Sequence[Sequence[object]]
    ) -> float:
        question, answer = self._pipes()
        question.write(json.dumps({"nodes": nodes, "needs": needs, **rules}) + "\n")
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


def _solve(
    nodes: Sequence[Sequence[int]],
    needs: Sequence[Sequence[int]],
    apart: Sequence[tuple[int, int, Sequence[int]]] = (),
    even: Sequence[tuple[int, Sequence[int], int]] = (),
    limits: Sequence[tuple[Sequence[bool], int]] = (),
) -> float:
    from ortools.sat.python import cp_model

    model, worth = cp_model.CpModel(), []
    used: dict[tuple[int, int], list[cp_model.LinearExpr]] = {}
    placed: list[list[list[cp_model.IntVar]]] = [[] for _ in needs]  # by need, replica and node
    for need, (replicas, cpu, memory, gpus, milli, value) in enumerate(needs):
        for _ in range(replicas):
            on = [model.new_bool_var("") for _ in nodes]
            placed[need].append(on)
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

    def within(need: int, domains: Sequence[int], domain: int) -> cp_model.LinearExpr:
        return sum(on[node] for on in placed[need] for node, each in enumerate(domains) if each == domain)

    for one, other, domains in apart:
        for domain in set(domains):
            here, there = within(one, domains, domain), within(other, domains, domain)
            if one == other:
                model.add(here <= 1)
            else:
                any_here = model.new_bool_var("")
                model.add(here <= len(placed[one]) * any_here)
                model.add(there <= len(placed[other]) * (1 - any_here))
    for need, domains, skew in even:
        counts = [within(need, domains, domain) for domain in sorted(set(domains))]
        for count in counts:
            for least in counts:
                model.add(count <= least + skew)
    for inside, most in limits:
        model.add(
            sum(
                needs[need][1] * on[node]
                for need, replicas in enumerate(placed)
                for on in replicas
                for node, counted in enumerate(inside)
                if counted
            )
            <= most
        )
    model.maximize(sum(worth))
    solver = cp_model.CpSolver()
    solver.parameters.num_workers = 1
    if solver.solve(model) != cp_model.OPTIMAL:
        raise SystemExit("no optimum was found")
    return float(solver.objective_value)


if __name__ == "__main__":
    for line in sys.stdin:
        asked = json.loads(line)
        sys.stdout.write(f"{_solve(**asked)}\n")
        sys.stdout.flush()
