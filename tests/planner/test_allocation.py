"""Replicas and requests of one workload: from what is measured, never lowered by what is not."""

import math
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from reconciler.kube.names import Identity
from reconciler.kube.quantity import parse
from reconciler.model.demand import Demand
from reconciler.model.filled import Draft, Record
from reconciler.model.planning_policy import Allocation, Policy
from reconciler.model.spec import Scale
from reconciler.model.usage import ContainerUsage, Spread, Usage
from reconciler.planner.allocation import Allotted, Before, allot

NOW = datetime(2026, 3, 16, 12, tzinfo=UTC)
WEB = Identity("reconciler.dev", "Deployment", "shop", "web")
STEP = 300.0
PER_DAY = 288
RULES = Allocation({"cpu": "100m", "memory": "128Mi"}, start=60.0)
HALF = {"resources": {"requests": {"cpu": "500m"}}}
TARGET = Scale(max=40, target={"cpu": "50%"}, min=2)  # a replica carries a quarter of a core
QUERY = Scale(max=20, min=0, query="sum(queue)", per_replica=50)


def draft(scale: Scale | None = None, replicas: int | None = None, container: Any = HALF) -> Draft:
    template = {"metadata": {}, "spec": {"containers": [{"name": "web", **container}]}}
    stated = frozenset((container.get("resources") or {}).get("requests") or {})
    return Draft(WEB, WEB, template, "h1", replicas, scale, stated)


def demand(*values: float, ago: float = 0) -> Demand:
    return Demand.of(values, step=STEP, latest=NOW - timedelta(seconds=ago))


def daily(days: float = 15, low: float = 1.0, high: float = 5.0, lead: float = 0) -> Demand:
    """Low by night, up from 7 to 8 h, high until 18 h; `lead` hours later than NOW."""
    end = NOW + timedelta(hours=lead)
    begin = end - timedelta(seconds=STEP * round(days * PER_DAY))
    times = [begin + timedelta(seconds=STEP * (n + 1)) for n in range(round(days * PER_DAY))]
    hours = [each.hour + each.minute / 60 for each in times]
    rise = [min(max(hour - 7, 0.0), 1.0) if hour < 18 else 0.0 for hour in hours]
    return Demand.of([low + (high - low) * part for part in rise], step=STEP, latest=end)


def changed(scale: Scale, **changes: Any) -> Scale:
    return msgspec.structs.replace(scale, **changes)


def of(
    draft: Draft,
    known: Demand | None = None,
    *,
    recorded: int | None = None,
    running: int = 0,
    before: Allotted | None = None,
    now: datetime = NOW,
    spares: int = 2,
    policy: Policy | None = None,
    containers: ContainerUsage | None = None,
    requests: dict[str, str] | None = None,
    lacking: str = "",
) -> Allotted:
    if draft.scale is not None and draft.scale.query is not None and known is not None:
        known = replace(known, query=draft.scale.query)
    usage = Usage(
        {WEB: {"web": containers}} if containers is not None else {},
        {} if known is None else {WEB: known},
        {WEB: lacking} if lacking else {},
    )
    record = Record("h1", requests=requests or {}, replicas=recorded) if recorded is not None or requests else None
    outlook = before.outlook if before is not None else None
    return allot(
        draft, Before(record, running, outlook), usage, spares=spares, rules=RULES, policy=policy or Policy(), now=now
    )


def test_stated_replicas_are_nobody_elses() -> None:
    assert of(draft(replicas=3), daily()).replicas is None


# --- the floor of an autoscaler


def test_a_floor_rises_before_demand_does() -> None:
    """At 7:00 demand is still that of the night, which needs four replicas; ten minutes later it is 1.67 cores."""
    night, ahead = daily(lead=-7), daily(lead=-5)
    assert night.values[-1] == ahead.values[-1] == 1.0
    quiet = of(draft(TARGET), night, now=night.latest)
    risen = of(draft(TARGET), ahead, now=ahead.latest)
    assert quiet.replicas is not None
    assert quiet.replicas <= 6
    assert risen.replicas is not None
    assert risen.replicas >= 7
    assert "at this time" in risen.why["replicas"]
    (choice,) = (each for each in risen.choices if each.subject == "replicas")
    assert choice.runner_up is not None


def test_a_floor_needs_a_past() -> None:
    short = of(draft(TARGET), demand(*[3.0] * 12))
    assert short.replicas is None
    assert "too little" in short.why["replicas"]
    assert of(draft(TARGET), demand(*[3.0] * 12), recorded=7).replicas == 7


def test_a_target_in_cores_needs_no_request() -> None:
    absolute = of(draft(Scale(max=40, target={"cpu": "250m"}), container={}), daily())
    assert absolute.replicas == of(draft(TARGET), daily()).replicas


@pytest.mark.parametrize("scale", [Scale(max=9, target={"memory": "80%"}), Scale(max=9, target={"cpu": "50%"})])
def test_where_nobody_knows_what_a_replica_carries_there_is_no_floor(scale: Scale) -> None:
    found = of(draft(scale, container={}), daily(), requests={"memory": "1Gi"})
    assert found.replicas is None
    assert found.why["replicas"].startswith("as it was")


def test_what_a_replica_carries_is_what_the_pods_that_run_request() -> None:
    """New advice on the request waits for a roll-out; until then the pods are as they were made."""
    scale = Scale(max=100, target={"cpu": "50%"})
    used = ContainerUsage(Spread(0.9, 1.0, 1.0), None, NOW - timedelta(days=9), NOW)
    found = of(draft(scale, container={}), demand(*[10.0] * 400), requests={"cpu": "500m"}, containers=used)
    assert found.requests["cpu"] == "1150m"
    assert found.replicas == 40


# --- replicas that follow demand


def test_nothing_known_gives_the_spares_of_the_profile() -> None:
    found = of(draft())
    assert found.replicas == 2
    assert found.why["replicas"].startswith("the profile's 2")


def test_replicas_follow_the_demand_in_all() -> None:
    """Of half a core with 15 % headroom 0.435 are for demand; the number of pods that share it does not matter."""
    steady = demand(*[4.0] * 500)
    for running in (1, 10, 50):
        found = of(draft(), steady, running=running, recorded=10)
        assert found.replicas == 10
    assert of(draft(), demand(*[8.0] * 500), recorded=10).replicas == 19


def test_never_fewer_than_the_spares_nor_more_than_the_configuration_lets() -> None:
    assert of(draft(), demand(*[0.001] * 500)).replicas == 2
    assert of(draft(), demand(*[1e6] * 500)).replicas == RULES.max_replicas


def test_a_short_past_raises_and_does_not_lower() -> None:
    assert of(draft(), demand(4.0, 8.0), recorded=3).replicas == 19
    later = of(draft(), demand(0.1, 0.1), recorded=3, now=NOW)
    for minutes in (3, 6, 9):
        later = of(draft(), demand(0.1, 0.1), recorded=3, before=later, now=NOW + timedelta(minutes=minutes))
        assert later.replicas == 3


def test_live_replicas_that_nobody_recorded_are_not_lowered_by_ignorance() -> None:
    assert of(draft(), running=7).replicas == 7


# --- a query


def test_a_query_asks_for_as_many_as_it_takes() -> None:
    assert of(draft(QUERY), demand(120.0, 130.0)).replicas == 3
    assert of(draft(QUERY), demand(120.0, 1e9)).replicas == 20


@given(times=st.integers(1, 20), carried=st.floats(0.01, 1e6))
def test_whole_multiples_take_no_replica_more(times: int, carried: float) -> None:
    scale = Scale(max=99, query="up", per_replica=carried)
    assert of(draft(scale), demand(times * carried, times * carried)).replicas == times


def test_scale_to_zero_only_where_nothing_is_asked_for_five_minutes() -> None:
    """Not for what is nearly nothing: one that is asked for is served."""
    found = of(draft(QUERY), demand(10.0, 0.0), recorded=1)
    assert found.replicas == 1, "the step before is not five minutes ago yet"
    counts = []
    for minute in range(1, 8):
        now = NOW + timedelta(minutes=minute)
        found = of(draft(QUERY), replace(demand(10.0, 0.0, 0.0), latest=now), recorded=1, before=found, now=now)
        counts.append(found.replicas)
    assert counts == [1, 1, 1, 1, 0, 0, 0]
    assert of(draft(QUERY), demand(0.0, 0.001), recorded=0).replicas == 1
    assert of(draft(changed(QUERY, min=2)), demand(0.0, 0.0), recorded=2).replicas == 2


def test_the_first_replica_is_started_ahead_of_demand() -> None:
    """Nothing is asked by night, and at 7:10 there is a queue of 100."""
    asleep, ahead = daily(low=0.0, high=600.0, lead=-7), daily(low=0.0, high=600.0, lead=-5)
    assert of(draft(QUERY), asleep, recorded=0, now=asleep.latest).replicas == 0
    assert of(draft(QUERY), ahead, recorded=0, now=ahead.latest).replicas >= 2  # type: ignore[operator]


@pytest.mark.parametrize(
    ("recorded", "running", "kept"), [(None, 0, 1), (None, 4, 4), (6, 0, 6), (0, 3, 0), (99, 0, 20)]
)
def test_a_query_without_an_answer_keeps_what_is(recorded: int | None, running: int, kept: int) -> None:
    found = of(draft(QUERY), recorded=recorded, running=running, lacking="the query finds nothing")
    assert found.replicas == kept
    assert found.why["replicas"].startswith("as it was: the query finds nothing")


# --- a query of requests that wait

WAITING = Scale(max=40, min=0, query="sum(rate(requests[2m]))", service_time="80ms", concurrency=4)


def fewest(load: float, slots: int, share: float) -> int:
    """Replicas with `slots` each with which at most `share` wait: the plain definition of Erlang's formula."""
    for count in range(1, 1000):
        c = count * slots
        if c > load:
            last = load**c / math.factorial(c) * c / (c - load)
            if last / (sum(load**k / math.factorial(k) for k in range(c)) + last) <= share:
                return count
    raise AssertionError(load)


def test_few_requests_wait() -> None:
    """132 a second keep 10.6 busy on average: of 12 places 58 % would wait, of 16 9 %, of 20 0.7 %."""
    found = of(draft(WAITING), demand(130.0, 132.0), recorded=1)
    assert found.replicas == fewest(132 * 0.08, 4, 0.05) == 5
    assert "asked for: 132 requests a second, 80ms each, 4 at once: needs 5" in found.why["replicas"]
    assert "so that at most 5 % of requests wait" in found.why["replicas"]
    patient = changed(WAITING, max_wait="1s", waiting="20%")
    found = of(draft(patient), demand(132.0, 132.0), recorded=1)
    assert found.replicas == 3
    assert "at most 20 % of requests wait longer than 1s" in found.why["replicas"]


@pytest.mark.parametrize(("carried", "replicas", "why"), [(100, 5, "needs 5 so that"), (20, 7, "a replica carries 20")])
def test_the_larger_of_the_two_answers_is_taken(carried: float, replicas: int, why: str) -> None:
    found = of(draft(changed(WAITING, per_replica=carried)), demand(132.0, 132.0), recorded=1)
    assert found.replicas == replicas
    assert why in found.why["replicas"]


def test_requests_that_are_expected_find_few_that_wait() -> None:
    """At 7:00 as at 5:00 there is one a second; five minutes past seven there are 58 a second, ten minutes past 116."""
    one = changed(WAITING, concurrency=1)
    night, ahead = (daily(low=1.0, high=700.0, lead=lead) for lead in (-7, -5))
    assert of(draft(one), night, recorded=1, now=night.latest).replicas <= 4  # type: ignore[operator]
    risen = of(draft(one), ahead, recorded=1, now=ahead.latest)
    assert risen.replicas is not None
    assert risen.replicas >= fewest(58 * 0.08, 1, 0.05)
    assert " requests a second, 80ms each: needs" in risen.why["replicas"]
    assert risen.outlook is not None
    assert risen.outlook.foresight is not None
    assert risen.replicas == fewest(risen.outlook.foresight.expected * 0.08, 1, 0.05)


def test_no_tolerance_makes_more_requests_wait() -> None:
    """One in ten too few would let twice as many wait; one too many may stay."""
    one = draft(changed(WAITING, concurrency=1))
    needed = fewest(100 * 0.08, 1, 0.05)
    assert needed >= 11
    exact = demand(*[100.0] * 3)
    rounded = fewest(exact.values[-1] * 0.08, 1, 0.05)
    assert of(one, exact, recorded=rounded - 1).replicas == rounded
    assert of(one, exact, recorded=rounded + 1).replicas == rounded + 1


def test_requests_beyond_the_most_are_not_said_to_be_served() -> None:
    found = of(draft(WAITING), demand(132.0, 1e6), recorded=1)
    assert found.replicas == 40
    assert "needs more than 40 so that" in found.why["replicas"]


def test_no_requests_need_none() -> None:
    found = of(draft(WAITING), demand(*[0.0] * 40), recorded=0)
    assert found.replicas == 0
    assert "wait" not in found.why["replicas"]


ABSURD = st.sampled_from([math.nan, math.inf, -math.inf, -1.0, -0.0, 0.0, 5e-324, 1e-300, 1e308, 1e15]) | st.floats()
TINY = changed(QUERY, per_replica=1e-300)
EVERY = [None, TARGET, QUERY, TINY, WAITING, changed(WAITING, per_replica=1e-300)]


@settings(max_examples=150)
@given(
    values=st.lists(ABSURD, max_size=60),
    scale=st.sampled_from(EVERY),
    recorded=st.none() | st.integers(0, 60),
    ago=st.floats(-1e6, 1e6),
)
def test_no_measurement_is_too_absurd(
    values: list[float], scale: Scale | None, recorded: int | None, ago: float
) -> None:
    found = of(draft(scale), demand(*values, ago=ago), recorded=recorded)
    low, high = (2, RULES.max_replicas) if scale is None else (scale.min, scale.max)
    assert found.replicas is None or low <= found.replicas <= high
    for choice in found.choices:
        assert math.isfinite(choice.chosen.score)


@pytest.mark.parametrize("spike", [1e4, 1e100])
@pytest.mark.parametrize("scale", [None, TARGET, changed(WAITING, service_time="1s")])
def test_one_absurd_value_is_no_demand_for_ever(spike: float, scale: Scale | None) -> None:
    steady = [4 + math.sin(n / 20) for n in range(1500)]
    spiked = [*steady[:800], spike, *steady[801:]]
    usual, after = (of(draft(scale), demand(*values)).replicas for values in (steady, spiked))
    assert usual is not None
    assert after is not None
    assert usual <= after <= 1.3 * usual + 1


@pytest.mark.parametrize("scale", [None, TARGET, QUERY])
def test_demand_of_a_time_that_is_yet_to_come_says_nothing(scale: Scale | None) -> None:
    found = of(draft(scale), demand(*[50.0] * 500, ago=-86_400), recorded=3)
    assert found.replicas == 3
    assert "which is yet to come" in found.why["replicas"]
    ahead = ContainerUsage(Spread(3, 4, 5), Spread(1e9, 2e9, 3e9), NOW, NOW + timedelta(days=400))
    found = of(draft(replicas=1, container={}), containers=ahead, requests={"cpu": "100m", "memory": "64Mi"})
    assert found.requests == {"cpu": "100m", "memory": "64Mi"}
    assert "yet to come" in found.why["cpu"]


# --- what all have in common


def test_a_lower_number_waits_for_five_minutes() -> None:
    """Counted from when it was last asked for, whatever happens in between."""
    quiet = demand(*[4.0] * 500)
    found = of(draft(), demand(*[4.0] * 499, 20.0), recorded=10)
    assert found.replicas == 46
    for seconds, expected in ((60, 46), (299, 46), (300, 10)):
        now = NOW + timedelta(seconds=seconds)
        found = of(draft(), replace(quiet, latest=now), recorded=46, before=found, now=now)
        assert found.replicas == expected
    assert found.why["replicas"]


@given(need=st.floats(1, 30), records=st.lists(st.integers(2, 70), min_size=1, max_size=4))
@example(need=1.9, records=[4, 5])  # each of them is within a tenth of what is needed
def test_a_record_that_is_behind_makes_nothing_swing(need: float, records: list[int]) -> None:
    """What is on record is what was found some plans ago: a pass applies it, and the next plan need not wait for it."""
    steady, lag, found = demand(*[need] * 40), len(records), None
    for minute in range(20):
        now = NOW + timedelta(minutes=minute)
        found = of(draft(), replace(steady, latest=now), recorded=records[-lag], before=found, now=now)
        assert found.replicas is not None
        records = [*records, found.replicas]
    assert len(set(records[-8:])) == 1, records


def test_a_new_life_of_the_daemon_lowers_nothing_at_once() -> None:
    quiet = demand(*[4.0] * 500)
    assert of(draft(), quiet, recorded=46).replicas == 46


def test_within_a_tenth_nothing_changes() -> None:
    for recorded in (9, 10):
        assert of(draft(), demand(*[4.1] * 500), recorded=recorded).replicas == recorded
    assert of(draft(), demand(*[4.1] * 500), recorded=8).replicas == 10


SERIES = st.lists(st.floats(0, 100) | st.just(math.nan), max_size=120).map(lambda values: (*values, 1.0))
SCALES = st.sampled_from([None, TARGET, QUERY])


@settings(max_examples=60)
@given(values=SERIES, scale=SCALES, recorded=st.none() | st.integers(0, 60), ago=st.floats(901, 1e7))
def test_rule_19_what_is_stale_or_missing_lowers_nothing(
    values: tuple[float, ...], scale: Scale | None, recorded: int | None, ago: float
) -> None:
    missing = of(draft(scale), recorded=recorded)
    stale = of(draft(scale), demand(*values, ago=ago), recorded=recorded)
    unknown = of(draft(scale), demand(*values[:-1], 1.0, math.nan), recorded=recorded)
    assert missing.replicas == stale.replicas == unknown.replicas
    if recorded is not None:
        low, high = (2, RULES.max_replicas) if scale is None else (scale.min, scale.max)
        assert stale.replicas == min(max(recorded, low), high)


@settings(max_examples=60)
@given(
    values=SERIES, scale=SCALES, recorded=st.none() | st.integers(0, 60), profile=st.sampled_from(["cost", "resilient"])
)
def test_a_number_is_within_what_the_spec_allows(
    values: tuple[float, ...], scale: Scale | None, recorded: int | None, profile: str
) -> None:
    found = of(draft(scale), demand(*values), recorded=recorded, policy=Policy(profile))
    low, high = (2, RULES.max_replicas) if scale is None else (scale.min, scale.max)
    if found.replicas is None:
        assert scale is TARGET
    else:
        assert low <= found.replicas <= high
    assert of(draft(scale), demand(*values), recorded=recorded, policy=Policy(profile)) == found


@given(values=st.lists(st.floats(0.1, 100), min_size=60, max_size=200), cut=st.integers(40, 59))
def test_a_gap_in_the_past_is_bridged(values: list[float], cut: int) -> None:
    """With what was measured last: as if it had stayed so."""
    gap = [*values[: cut - 10], *[math.nan] * 10, *values[cut:]]
    bridged = [*values[: cut - 10], *[values[cut - 11]] * 10, *values[cut:]]
    assert of(draft(), demand(*gap), recorded=5) == of(draft(), demand(*bridged), recorded=5)


def test_mostly_gaps_foretell_nothing() -> None:
    holes = [5.0 if n % 3 == 0 else math.nan for n in range(300)]
    assert "too little" in of(draft(TARGET), demand(*holes, 5.0)).why["replicas"]


def test_a_choice_stands_for_hours_and_an_unchanged_step_is_not_looked_at_again() -> None:
    first = of(draft(TARGET), daily())
    again = of(draft(TARGET), daily(), before=first, recorded=first.replicas)
    assert first.outlook is not None
    assert again.outlook is not None
    assert again.outlook.foresight is first.outlook.foresight
    later = of(draft(TARGET), daily(lead=1), before=again, now=NOW + timedelta(hours=1))
    assert later.outlook is not None
    assert later.outlook.foresight is not None
    assert later.outlook.foresight.choice is first.outlook.foresight.choice  # type: ignore[union-attr]
    other = of(draft(TARGET), daily(lead=1), before=again, now=NOW + timedelta(hours=1), policy=Policy("resilient"))
    assert other.outlook is not None
    assert other.outlook.foresight.choice is not first.outlook.foresight.choice  # type: ignore[union-attr]


# --- requests beside replicas that follow demand

IDLE = ContainerUsage(Spread(0.05, 0.06, 0.06), None, NOW - timedelta(days=9), NOW)


def test_a_request_is_lowered_no_further_than_the_spares_can_bear() -> None:
    """Two replicas are to be able to carry the highest demand of the past: so a lower request makes no more of them."""
    open_ = draft(container={})
    found = of(open_, demand(*[0.1] * 400, 0.4, 0.1, 0.1), containers=IDLE, requests={"cpu": "2"}, recorded=2)
    assert found.requests["cpu"] == "230m"  # 0.4 and 15 %, on two
    assert "replicas follow the demand" in found.why["cpu"]
    busy = of(open_, demand(*[8.0] * 400), containers=IDLE, requests={"cpu": "500m"}, recorded=19)
    assert busy.requests["cpu"] == "500m"


@pytest.mark.parametrize("profile", ["cost", "balanced", "resilient"])
@pytest.mark.parametrize("request_", ["50m", "500m", "5"])
def test_requests_and_replicas_do_not_chase_each_other(profile: str, request_: str) -> None:
    """Day after day with a roll-out each: soon neither changes any more."""
    count, seen = 4, []
    for _ in range(20):
        each = 5.0 / count  # what a pod uses at the highest demand
        found = of(
            draft(container={}),
            daily(),
            containers=ContainerUsage(Spread(each * 0.4, each * 0.9, each), None, NOW - timedelta(days=9), NOW),
            requests={"cpu": request_},
            recorded=count,
            policy=Policy(profile),
        )
        assert found.replicas is not None
        request_, count = found.requests["cpu"], found.replicas
        seen.append((request_, count))
    assert len(set(seen[8:])) == 1, seen
    assert count * float(parse(request_)) >= 5, "enough for the highest demand"


def used(days: float, ago: float, cpu: float = 0.5) -> ContainerUsage:
    latest = NOW - timedelta(days=ago)
    return ContainerUsage(Spread(cpu, cpu, cpu), None, latest - timedelta(days=days), latest)


@pytest.mark.parametrize(
    ("containers", "requests", "kept", "why"),
    [
        (None, {"cpu": "2"}, "2", "as it was: nothing is measured"),
        (used(9, 2), {"cpu": "2"}, "2", "as it was: nothing was measured for a day"),
        (used(0.02, 0), {"cpu": "2"}, "2", "as it was: less than an hour is measured"),
        (used(9, 0), {"cpu": "600m"}, "600m", "as it was: between the bounds of what is used"),
        (None, None, "100m", "the configuration's default: too little is measured yet"),
        (used(9, 2), None, "100m", "the configuration's default: too little is measured yet"),
    ],
)
def test_a_request_that_stays_says_why(
    containers: ContainerUsage | None, requests: dict[str, str] | None, kept: str, why: str
) -> None:
    found = of(draft(replicas=1, container={}), containers=containers, requests=requests)
    assert (found.requests["cpu"], found.why["cpu"]) == (kept, why)


def test_a_request_is_no_more_than_its_limit() -> None:
    limited = draft(replicas=1, container={"resources": {"limits": {"cpu": "400m"}}})
    found = of(limited, containers=used(9, 0))
    assert found.requests["cpu"] == "400m"
    assert found.why["cpu"].endswith("; no more than its limit")


def test_stated_replicas_let_a_request_go_down() -> None:
    stated = of(draft(replicas=2, container={}), daily(), containers=IDLE, requests={"cpu": "2"})
    assert stated.requests["cpu"] == "69m"
