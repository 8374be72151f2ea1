"""A daemon whose workloads follow their demand: ahead of it, without it, and when it dies."""

from loaded import REQUESTS, living, loaded
from memory_repository import MemoryRepository
from texts import NAMESPACE, deployment
from virtual import virtual

from reconciler.model.filled import Record


@virtual
async def test_rule_20_an_autoscalers_floor_rises_before_demand_and_scaling_goes_on_without_us() -> None:
    async with loaded(begin=6.5) as load:
        async with living(load):
            await load.at(6.75)
            by_night = load.floor()
            assert 2 <= by_night <= 7
            await load.at(7.01)
            assert load.cores(load.clock.now()) == 1
            assert load.floor() > by_night
            ahead = []
            while load.clock.now().hour < 8:
                await load.clock.sleep(300)
                ahead.append(load.floor() * 0.25 / load.cores(load.clock.now()))
            assert min(ahead) >= 0.9, "a tenth is its tolerance, as the autoscaler's"
            assert sum(each >= 1 for each in ahead) >= 0.7 * len(ahead), ahead
            assert 18 <= load.floor() <= 27
        left = load.floor()
        load.cores = lambda _when: 8.0
        await load.at(8.5)
        assert load.replicas() >= 30, "a dead daemon stops no autoscaling"
        assert load.floor() == left


@virtual
async def test_rule_19_where_nothing_is_measured_any_more_nothing_is_lowered() -> None:
    async with loaded(begin=17.5) as load:
        async with living(load):
            await load.at(17.7)
            floor = load.floor()
            assert floor >= 18
            load.seen = False
            await load.at(18.5)
            assert load.floor() == floor, "in the evening, when less is expected"
        async with living(load):
            await load.at(18.7)
            assert load.floor() == floor, "nor by a new life"
            load.seen = True
            await load.at(19)
            assert load.floor() < floor


@virtual
async def test_replicas_that_nothing_states_follow_the_demand() -> None:
    """Half a core and 15 % headroom: 0.435 for demand. Replicas change, templates do not (rule 19)."""
    async with loaded(begin=6.5) as load, living(load, "  placement: {}\n"):
        await load.at(6.75)
        assert 2 <= load.replicas() <= 5
        template = load.deployment()["spec"]["template"]
        await load.at(7.5)
        assert load.replicas() * 0.435 >= 3
        load.cores = lambda _when: 12.0
        await load.at(7.6)
        assert load.replicas() >= 27, "what nobody foretold is followed too"
        load.cores = lambda _when: 0.1
        await load.at(8.1)
        assert load.replicas() <= 20
        assert load.deployment()["spec"]["template"] == template


@virtual
async def test_a_query_that_nobody_can_be_asked_keeps_what_is_and_is_said() -> None:
    async with loaded(begin=8) as load:
        async with living(load, REQUESTS + "  replicas: 4\n"):
            assert load.replicas() == 4
        query = "  scale: {min: 0, max: 9, query: sum(queue), perReplica: 5}\n"
        async with living(load, REQUESTS + query):
            await load.clock.sleep(900)
            assert load.replicas() == 4
            record = Record.of(load.deployment()["metadata"]["annotations"]["reconciler.dev/planned"])
            assert record is not None
            assert record.replicas == 4


KILLED = (
    "  template: {metadata: {annotations: "
    "{sandbox.reconciler.dev/behavior: oom, sandbox.reconciler.dev/duration: 20m}}}\n"
)


@virtual
async def test_a_container_that_was_killed_for_want_of_memory_is_advised_more() -> None:
    """It had 128 MiB: 100 MB more are above a fifth, and 15 % come on top. With the next roll-out it gets them."""
    async with loaded(begin=8) as load:
        source = MemoryRepository("shop")
        files = {"ns.yaml": NAMESPACE, "web.yaml": deployment(extra=REQUESTS + KILLED)}
        source.commit(files)
        async with load.daemon(source) as running:
            await running.until(lambda: load.deployment())
            assert load.requests() == {"cpu": "500m", "memory": "128Mi"}
            await load.at(9.3)
            assert load.requests()["memory"] == "128Mi", "no pod is restarted for it"
            source.commit({**files, "web.yaml": deployment(extra=REQUESTS + KILLED + "  args: [more]\n")})
            await running.until(lambda: load.requests()["memory"] != "128Mi")
    wanted = (128 * 2**20 + 100e6) * 1.15 / 2**20
    assert wanted <= int(load.requests()["memory"].removesuffix("Mi")) <= wanted * 1.06 + 1, "a bucket is 5 % wide"
