"""validate, plan --offline and init: what needs no cluster."""

import json

import pytest

WEB = """\
# The shop's front.
#
# It is served by three pods, one in each zone, and mounts the settings that lie beside this file. Its image is
# named here; everything that is not stated stays what Kubernetes makes of it.
apiVersion: reconciler.dev/v1
kind: Deployment
metadata:
  name: web
  namespace: shop
spec:
  image: registry.example.com/shop/web:1.4.2
  ports:
    - {name: http, containerPort: 8080}
  replicas: three
"""
CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: settings}\ndata: {currency: EUR}\n"


def test_a_good_folder(cli, shop):
    cli.golden("validate-good.txt", "validate", shop({"a.yaml": CONFIG}))


def test_every_mistake_at_once(cli, shop):
    folder = shop(
        {
            "apps/web.yaml": WEB,
            "apps/twice.yaml": "kind: A\nkind: B\n",
            "apps/kind.yaml": CONFIG.replace("ConfigMap", "ConfigMpa"),
            "apps/ours.yaml": WEB.replace("kind: Deployment", "kind: Deploymnt").replace("three", "3"),
            "apps/field.yaml": WEB.replace("replicas: three", "replica: 3").replace("name: web\n", "name: api\n"),
            "apps/tab.yaml": "a:\n\tb: 1\n",
        }
    )
    assert cli.golden("validate-mistakes.txt", "validate", folder).code == 1


def test_mistakes_as_json(cli, shop):
    ran = cli("validate", shop({"apps/web.yaml": WEB}), "--output", "json")
    found = json.loads(ran.out)
    assert ran.code == 1
    assert [(p["code"], p["location"]["line"]) for p in found["problems"]] == [("wrong-type", 14)]


def test_warnings_are_no_error(cli, shop):
    ran = cli("validate", shop({"a.yaml": CONFIG.replace("EUR", "no")}))
    assert ran.code == 0
    assert "1 document is valid; 0 errors, 1 warning" in ran.out


@pytest.mark.parametrize(
    ("planner", "place", "code", "said"),
    [
        (
            "",
            "pool: cheap",
            0,
            "warning: Deployment/web spec.placement.pool: no pool is configured: its pods are for nodes",
        ),
        ("planner: {}", "shares: {cheap: 30%, dear: 70%}", 0, "reconciler.dev/pool=cheap or reconciler.dev/pool=dear"),
        ("planner: {pools: [{name: cheap, nodeSelector: {tier: cheap}}]}", "pool: cheap", 0, "1 document is valid; 0"),
        ("planner: {pools: [{name: cheap, nodeSelector: {tier: cheap}}]}", "pool: dear", 1, 'there is no pool "dear"'),
    ],
    ids=["no planner", "no pools", "known", "unknown"],
)
def test_pools_are_those_of_the_configuration(cli, shop, tmp_path, planner, place, code, said):
    file = tmp_path / "config.yaml"
    file.write_text(f"sources: [{{name: shop, url: /srv/shop}}]\n{planner}\n")
    folder = shop({"web.yaml": WEB.replace("replicas: three", f"placement: {{{place}}}")})
    ran = cli("validate", folder, "--config", file)
    assert ran.code == code
    assert said in ran.out
    assert "no pool is configured" not in cli("validate", folder).out, "nobody has said what there is"


def test_overlays_without_their_order_are_told_apart_from_mistakes(cli, shop):
    folder = shop({"base/a.yaml": CONFIG, "env/prod/a.yaml": CONFIG})
    ran = cli("validate", folder)
    assert ran.code == 1
    assert ran.err == "hint: is one folder merged over the other? then name them in order: --paths base,env/prod\n"
    assert cli("validate", folder, "--paths", "base,env/prod").code == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("nowhere",), ["there is no folder nowhere", "  hint: name the folder that holds the specs"]),
        (("shop/a.yaml",), ["shop/a.yaml is a file", "  hint: name the folder that holds the specs"]),
        (("empty",), ["there are no files in empty", "  hint: `reconciler init PATH` starts a repository"]),
        (("shop", "--paths", "env/pord"), ["there is no folder env/pord in shop", "  hint: did you mean env/prod?"]),
        (
            ("shop", "--paths", "../shop"),
            [
                "'../shop' is not a path inside the repository",
                '  because: it holds ".."',
                '  hint: write it relative to the repository\'s root, "." for all of it',
            ],
        ),
    ],
)
@pytest.mark.parametrize("verb", [["validate"], ["plan", "--offline"]])
def test_a_folder_that_cannot_be(cli, shop, tmp_path, monkeypatch, verb, words, said):
    shop({"a.yaml": CONFIG, "env/prod/a.yaml": CONFIG})
    (tmp_path / "empty").mkdir()
    monkeypatch.chdir(tmp_path)
    ran = cli(*verb, *words)
    assert (ran.code, ran.out, ran.err.splitlines()) == (1, "", said)


def test_plan_offline(cli, shop):
    folder = shop({"web.yaml": WEB.replace("three", "3"), "settings.yaml": CONFIG})
    assert cli.golden("plan-offline.txt", "plan", "--offline", folder).code == 2


def test_plan_offline_as_markdown(cli, shop):
    folder = shop({"web.yaml": WEB.replace("three", "3"), "settings.yaml": CONFIG})
    assert cli.golden("plan-offline-markdown.txt", "plan", "--offline", folder, "--output", "markdown").code == 2


def test_a_plan_with_an_error_is_an_error(cli, shop):
    assert cli("plan", "--offline", shop({"web.yaml": WEB, "settings.yaml": CONFIG})).code == 1


def test_init_makes_a_repository_that_validates(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    cli.golden("init.txt", "init", "my-shop")
    assert cli("validate", "my-shop", "--paths", "base,env/prod").code == 0
    assert cli("plan", "my-shop", "--paths", "base,env/prod", "--offline").code == 2


def test_init_overwrites_nothing(cli, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    for target, said in (("full", "full is not empty"), ("full/mine.txt", "full/mine.txt is a file")):
        ran = cli("init", target)
        assert (ran.code, ran.err.splitlines()[0]) == (1, said)
    assert [path.name for path in tmp_path.rglob("*")] == ["full", "mine.txt"]
