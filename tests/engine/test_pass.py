"""One pass: what a commit does to a cluster."""

from both_servers import on_both
from texts import config, deployment
from world import World

from reconciler.model.change import Action
from reconciler.model.event import EventType
from reconciler.model.result import Outcome

REMEMBERED = ("update", "configmaps")  # what is remembered of a source is written
TWICE = 2  # that a commit was seen, and that it was passed, where that took longer than the state's pace in real time


@on_both
async def test_a_commit_becomes_objects(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "1"}
    assert live["metadata"]["annotations"]["reconciler.dev/id"] == f"test/{w.name('shop')}//ConfigMap/{w.space}/a"
    assert live["metadata"]["labels"]["app.kubernetes.io/managed-by"] == "reconciler"


@on_both
async def test_a_pass_over_what_is_applied_already_sends_nothing(w: World) -> None:
    await w.started({"a.yaml": config("a"), "web.yaml": deployment()})
    await w.written()
    before = w.requests()
    w.repositories["shop"].commit({"README.md": "words"}, "Only words")
    result = await w.sync()
    assert result.ok
    await w.written()
    sent = w.requests() - before
    assert 1 <= sent.pop(REMEMBERED) <= TWICE
    assert not sent, "only that the commit was seen is written"


@on_both
async def test_a_changed_object_is_sent_and_no_other(w: World) -> None:
    await w.started({"a.yaml": config("a"), "b.yaml": config("b")})
    await w.written()
    before = w.requests()
    w.repositories["shop"].commit({"b.yaml": config("b", "2")})
    await w.sync()
    await w.written()
    sent = w.requests() - before
    assert 1 <= sent.pop(REMEMBERED) <= TWICE, "the history"
    assert sent == {("apply", "configmaps"): 1}
    live = await w.get("ConfigMap", "b")
    assert live is not None
    assert live["data"] == {"value": "2"}


@on_both
async def test_a_failing_object_does_not_stop_the_others(w: World) -> None:
    w.source().commit(
        {
            "namespace.yaml": w.namespace(),
            "a.yaml": config("a"),
            "elsewhere.yaml": config("lost").replace("name: lost", f"name: lost\n  namespace: {w.name('nowhere')}"),
        }
    )
    result = await w.sync()
    by_name = {identity.name: each for identity, each in result.results.items()}
    assert by_name["a"].outcome is Outcome.DONE
    assert by_name["lost"].outcome is Outcome.FAILED
    assert "never created implicitly" in by_name["lost"].hint
    assert not result.ok
    assert w.sources["shop"].retry_delay is not None


@on_both
async def test_what_failed_is_tried_again_until_it_succeeds(w: World) -> None:
    late = w.name("late")
    w.source().commit(
        {"namespace.yaml": w.namespace(), "a.yaml": config("a").replace("name: a", f"name: a\n  namespace: {late}")}
    )
    assert not (await w.sync()).ok
    await w.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": late}})
    assert await w.sources["shop"].work() is None, "not before its time"
    await w.clock.sleep(w.sources["shop"].retry_delay or 0)
    result = await w.sources["shop"].work()
    assert result is not None
    assert result.ok
    assert await w.get("ConfigMap", "a", namespace=late)
    assert w.sources["shop"].retry_delay is None


@on_both
async def test_a_bad_spec_is_quarantined_and_what_it_made_is_kept(w: World) -> None:
    await w.started({"web.yaml": deployment(), "a.yaml": config("a")})
    w.repositories["shop"].commit({"web.yaml": deployment(extra="  replicas: three\n"), "a.yaml": config("a", "2")})
    result = await w.sync()
    assert any(problem.identity and problem.identity.name == "web" for problem in result.problems)
    assert await w.get("Deployment", "web", group="apps")
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "2"}
    assert w.heard(EventType.INVALID)


@on_both
async def test_rule_1_a_copied_label_makes_nothing_ours(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    labels = {"app.kubernetes.io/managed-by": "reconciler", "reconciler.dev/source": w.name("shop")}
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "copy", "labels": labels}}
    await w.create(w.path("configmaps"), body)
    w.repositories["shop"].commit({"b.yaml": config("b")})
    assert (await w.sync()).ok
    assert await w.get("ConfigMap", "copy")


@on_both
async def test_rule_2_another_tools_object_is_held_until_it_is_adopted(w: World) -> None:
    await w.create("/api/v1/namespaces", {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": w.space}})
    body = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "a"}, "data": {"value": "theirs"}}
    await w.create(w.path("configmaps"), body)
    repository = w.source()
    repository.commit({"a.yaml": config("a")})
    result = await w.sync()
    (held,) = result.results.values()
    assert held.outcome is Outcome.HELD
    assert "adopt" in held.hint
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "theirs"}

    repository.commit({"a.yaml": config("a", adopt="true")})
    result = await w.sync()
    assert result.count(Action.ADOPT) == 1
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "1"}


@on_both
async def test_rule_2_another_sources_object_is_refused_and_both_places_are_named(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    w.source("second").commit({"other/a.yaml": config("a", "2")})
    result = await w.sync("second")
    (refused,) = result.results.values()
    assert refused.action is Action.REFUSE
    assert "a.yaml" in refused.message
    assert "other/a.yaml" in refused.message
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"] == {"value": "1"}


@on_both
async def test_rule_2_an_object_that_moves_between_sources_is_never_deleted(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    w.source("second").commit({"a.yaml": config("a", "2")})
    await w.sync("second")
    before = await w.get("ConfigMap", "a")
    w.repositories["shop"].commit({"a.yaml": None, "b.yaml": config("b")})
    await w.sync("shop")
    w.sources["second"].ask()
    assert (await w.sync("second")).ok
    w.sources["shop"].ask()
    assert (await w.sync("shop")).ok
    after = await w.get("ConfigMap", "a")
    assert before is not None
    assert after is not None
    assert after["metadata"]["uid"] == before["metadata"]["uid"]
    assert after["metadata"]["annotations"]["reconciler.dev/id"] == f"test/{w.name('second')}//ConfigMap/{w.space}/a"
    assert after["data"] == {"value": "2"}


@on_both
async def test_rule_3_the_kinds_in_use_are_on_record_before_anything_is_applied(w: World) -> None:
    await w.started({"a.yaml": config("a"), "web.yaml": deployment()})
    state = await w.state()
    assert {kind.kind for kind in state.kinds} >= {"ConfigMap", "Namespace", "Deployment"}


@on_both
async def test_rule_3_a_kind_leaves_the_record_when_its_list_is_empty(w: World) -> None:
    await w.started({"a.yaml": config("a"), "web.yaml": deployment()})
    w.repositories["shop"].commit({"web.yaml": None})
    assert (await w.sync()).ok
    w.sources["shop"].ask()
    w.repositories["shop"].commit({"a.yaml": config("a", "2")})
    await w.sync()
    assert "Deployment" not in {kind.kind for kind in (await w.state()).kinds}


@on_both
async def test_rule_4_a_conflict_names_the_other_manager_and_the_field_and_is_not_forced(w: World) -> None:
    await w.started({"a.yaml": config("a")})
    await w.patch(w.path("configmaps/a"), {"data": {"more": "theirs"}}, by="their-tool")
    text = config("a").replace("data: {value: '1'}", "data: {value: '1', more: 'ours'}")
    w.repositories["shop"].commit({"a.yaml": text})
    result = await w.sync()
    (failed,) = (each for each in result.results.values() if each.outcome is Outcome.FAILED)
    assert "their-tool" in failed.message
    assert "more" in failed.message
    live = await w.get("ConfigMap", "a")
    assert live is not None
    assert live["data"]["more"] == "theirs"


@on_both
async def test_rule_6_replicas_that_are_no_longer_stated_keep_their_live_value(w: World) -> None:
    await w.started({"web.yaml": deployment(extra="  replicas: 5\n")})
    w.repositories["shop"].commit({"web.yaml": deployment()})
    assert (await w.sync()).ok
    live = await w.get("Deployment", "web", group="apps")
    assert live is not None
    assert live["spec"]["replicas"] == 5


@on_both
async def test_rule_7_an_unrelated_commit_changes_no_object(w: World) -> None:
    await w.started({"web.yaml": deployment(), "a.yaml": config("a")})
    before = w.requests()
    w.repositories["shop"].commit({"web.yaml": "# a comment above\n" + deployment(), "b.yaml": config("b")})
    assert (await w.sync()).ok
    sent = w.requests() - before
    assert sent["apply", "configmaps"] == 1
    assert not sent["apply", "deployments"]


@on_both
async def test_rule_8_an_immutable_change_is_refused_unless_replacing_is_allowed(w: World) -> None:
    secret = "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: a\n{note}immutable: true\ndata: {{value: {value}}}\n"
    allowed = "  annotations: {reconciler.dev/replace: 'true'}\n"
    await w.started({"a.yaml": secret.format(note="", value="one")})
    before = await w.get("ConfigMap", "a")
    w.repositories["shop"].commit({"a.yaml": secret.format(note="", value="two")})
    result = await w.sync()
    (refused,) = (each for each in result.results.values() if each.identity.name == "a")
    assert refused.action is Action.REFUSE
    assert "reconciler.dev/replace" in refused.hint
    w.repositories["shop"].commit({"a.yaml": secret.format(note=allowed, value="two")})
    result = await w.sync()
    assert result.count(Action.REPLACE) == 1
    after = await w.get("ConfigMap", "a")
    assert before is not None
    assert after is not None
    assert after["data"] == {"value": "two"}
    assert after["metadata"]["uid"] != before["metadata"]["uid"]
