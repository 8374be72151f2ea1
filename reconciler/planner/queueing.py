"""How many replicas keep people from waiting, where the time that one request takes is known.

The M/M/c queue: with an offered load of R (requests a second × seconds each) c > R servers are needed for a queue that
does not grow, and about R + β√R for one in which the share of those that wait is small (Halfin and Whitt, Heavy-Traffic
Limits for Queues with Many Exponential Servers, Operations Research 29, 1981). The exact share is Erlang's C formula.
"""

import math


def waiting(load: float, servers: int) -> float:
    """Erlang C: the share of requests that find all `servers` busy; 1 where the queue grows for ever.

    Computed through Erlang B by its recursion, which neither overflows nor cancels: B(0) = 1,
    B(c) = R B(c-1) / (c + R B(c-1)); C = c B / (c - R (1 - B)).
    """
    if servers <= load:
        return 1.0
    blocked = 1.0
    for count in range(1, servers + 1):
        blocked = load * blocked / (count + load * blocked)
    return servers * blocked / (servers - load * (1 - blocked))


def servers(load: float, share: float) -> int:
    """The fewest servers with which at most `share` (above 0, below 1) of the requests wait.

    `load` is in servers that are busy on average. Raises ValueError for what is no load or no share.
    """
    if not (math.isfinite(load) and load >= 0):
        raise ValueError(f"not a load: {load!r}")
    if not 0 < share < 1:
        raise ValueError(f"not a share: {share!r}")
    low, high = math.floor(load), math.floor(load) + 1
    while waiting(load, high) > share:
        low, high = high, high + max(1, math.ceil(math.sqrt(load)))
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if waiting(load, middle) > share else (low, middle)
    return max(1, high)
