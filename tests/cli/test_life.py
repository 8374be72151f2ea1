"""A folder's life on a cluster, verb by verb, as a person would go about it."""

import json

import pytest

CONFIG = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: %s}\ndata: {currency: %s}\n"
WEB = """\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web}
spec:
  image: registry.example.com/shop/web:1.4.2
  replicas: 2
  ports: [{name: http, containerPort: 8080}]
"""


@pytest.fixture
def on(cli, api_server):
    """Runs a verb on the API server."""
    cli.on = lambda verb, *words: cli(verb, *words, "--kubeconfig", api_server)
    return cli.on


def test_plan_apply_change_and_apply_again(cli, shop, api_server):
    folder = shop({"a.yaml": CONFIG % ("settings", "EUR")})
    where = ("--kubeconfig", api_server)
    assert cli.golden("life-1-plan.txt", "plan", folder, *where).code == 2
    assert cli.golden("life-2-apply.txt", "apply", folder, *where).code == 0
    assert cli.golden("life-3-plan.txt", "plan", folder, *where).code == 0
    assert cli.golden("life-4-apply.txt", "apply", folder, *where).code == 0
    shop({"a.yaml": CONFIG % ("settings", "CHF")})
    assert cli.golden("life-5-diff.txt", "diff", folder, *where).code == 2
    assert cli.golden("life-6-apply.txt", "apply", folder, *where).code == 0
    assert cli.golden("life-7-status.txt", "status", *where).code == 0
    assert cli.golden("life-8-history.txt", "history", *where).code == 0
    assert cli.golden("life-9-explain.txt", "explain", "configmap/settings", *where).code == 0


def test_a_workload_is_waited_for(cli, shop, whole_cluster):
    ran = cli("apply", shop({"web.yaml": WEB}), "--kubeconfig", whole_cluster)
    assert ran.code == 0, ran
    status = json.loads(cli("status", "--output", "json", "--kubeconfig", whole_cluster).out)
    health = {each["object"]: each["message"] for each in status["sources"][0]["objects"]}
    assert health["Deployment/default/web"] == "2 of 2 replicas ready"


def test_what_does_not_become_healthy_is_an_error(on, shop):
    ran = on("apply", shop({"web.yaml": WEB}), "--timeout", "1s")  # nobody runs pods here
    assert ran.code == 1
    assert "! Deployment/default/web is progressing: " in ran.out
    assert on("apply", shop({"web.yaml": WEB.replace("1.4.2", "1.4.3")}), "--no-wait").code == 0


def test_an_invalid_spec_stops_only_itself_and_is_an_error(on, shop):
    ran = on("apply", shop({"a.yaml": CONFIG % ("settings", "EUR"), "web.yaml": WEB.replace("2", "two")}))
    assert ran.code == 1
    assert "✓ ConfigMap/default/settings  created\n" in ran.out
    assert 'web.yaml:6:13: Deployment/web spec.replicas: "two" is not an integer\n' in ran.out
    assert ran.out.splitlines()[-1].startswith("1 created; 1 error; ")


def test_apply_as_json(on, shop):
    ran = on("apply", shop({"a.yaml": CONFIG % ("settings", "EUR")}), "--output", "json")
    found = json.loads(ran.out)
    assert (ran.code, found["source"], found["ok"], found["problems"]) == (0, "shop", True, [])
    assert [(each["object"], each["action"], each["outcome"]) for each in found["results"]] == [
        ("ConfigMap/default/settings", "create", "done")
    ]


def test_held_deletions_are_shown_and_approved(cli, on, shop, api_server):
    folder = shop({f"{n}.yaml": CONFIG % (f"c{n}", "EUR") for n in range(8)})
    assert on("apply", folder).code == 0
    for n in range(7):
        (folder / f"{n}.yaml").unlink()
    where = ("--kubeconfig", api_server)
    assert cli.golden("held-1-apply.txt", "apply", folder, *where).code == 0
    assert cli.golden("held-2-status.txt", "status", *where).code == 0
    assert cli.golden("held-3-prune.txt", "prune", *where).code == 0
    assert cli.golden("held-4-approve.txt", "prune", "shop", "--approve", *where).code == 0
    assert cli.golden("held-5-prune.txt", "prune", *where).code == 0
    assert on("apply", folder).out.splitlines()[-1].startswith("7 deleted; ")


def test_diff_says_nothing_of_what_is_not_stated(on, shop):
    folder = shop({"a.yaml": CONFIG % ("a", "EUR"), "b.yaml": CONFIG % ("b", "EUR")})
    on("apply", folder)
    (folder / "b.yaml").unlink()
    assert on("diff", folder).code == 0
    assert on("plan", folder).code == 2


def test_suspend_and_resume(on, shop):
    folder = shop({"a.yaml": CONFIG % ("a", "EUR")})
    on("apply", folder)
    assert on("suspend", "shop").out == "source shop is suspended\n"
    assert on("suspend", "shop").out == "source shop is suspended already\n"
    assert "source shop (suspended: nothing is written)" in on("status").out
    ran = on("apply", folder)
    assert (ran.code, ran.err.splitlines()) == (
        1,
        ["source shop is suspended, so nothing is applied", "  hint: `reconciler resume shop` goes on"],
    )
    assert on("resume", "shop").out == "source shop is resumed\n"
    assert on("resume", "shop").out == "source shop is not suspended\n"
    assert on("apply", folder).code == 0


@pytest.mark.parametrize("verb", ["status", "history", "prune", "suspend", "resume"])
def test_a_source_that_is_not_there(on, shop, verb):
    on("apply", shop({"a.yaml": CONFIG % ("a", "EUR")}))
    ran = on(verb, "shpo")
    assert (ran.code, ran.err) == (1, "there is no source 'shpo'\n  hint: name one of shop\n")


def test_two_folders_are_two_sources(on, shop, tmp_path):
    on("apply", shop({"a.yaml": CONFIG % ("a", "EUR")}))
    other = tmp_path / "The Other_Shop"
    other.mkdir()
    (other / "b.yaml").write_text(CONFIG % ("b", "EUR"))
    ran = on("apply", other)
    assert ran.code == 0
    assert "deleted" not in ran.out
    assert [line for line in on("status").out.splitlines() if line.startswith("source")] == [
        "source shop",
        "source the-other-shop",
    ]
    assert on("history").err == "there are several sources\n  hint: name one of shop, the-other-shop\n"


def test_explain_finds_the_line_and_its_author(on, shop, repository):
    folder = shop({"a.yaml": CONFIG % ("a", "EUR")})
    repository(folder, "Open the shop")
    on("apply", folder)
    out = on("explain", "configmaps/a", "--repo", folder).out
    assert "a.yaml:1: written by Ann Author <ann@shop.example.com> in " in out
    assert "(Open the shop)" in out
    assert (
        "are --ref and --paths those of the source?"
        in on("explain", "configmaps/a", "--repo", folder, "--paths", "elsewhere").out
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("web",), ["'web' names no object", "  hint: write KIND/NAME or KIND/NAMESPACE/NAME"]),
        (("deploymnt/web",), ["the cluster serves no kind 'deploymnt'", "  hint: did you mean deployment?"]),
        (
            ("deployment/web",),
            [
                "there is no Deployment/default/web",
                "  hint: there is no Deployment in namespace default at all; -n NAMESPACE names another",
            ],
        ),
        (
            ("deployment/web", "-n", "shop"),
            ["there is no Deployment/shop/web", "  hint: there is no Deployment in namespace shop at all"],
        ),
        (
            ("configmap/settings", "-n", "shop"),
            [
                "there is no ConfigMap/shop/settings",
                "  hint: there is one in namespace default: configmap/default/settings",
            ],
        ),
        (("cm/setings",), ["there is no ConfigMap/default/setings", "  hint: did you mean configmap/settings?"]),
        (("cm/x",), ["there is no ConfigMap/default/x", "  hint: there is settings"]),
        (("task/migrate",), ["no Job of Task/default/migrate is there", "  hint: did you mean task/migrates?"]),
        (
            ("task/migrates", "-n", "shop"),
            [
                "no Job of Task/shop/migrates is there",
                "  hint: there is one in namespace default: task/default/migrates",
            ],
        ),
        (
            ("persistentvolume/x",),
            ["there is no PersistentVolume/x", "  hint: there is no PersistentVolume at all"],
        ),
    ],
)
def test_explain_of_what_is_not_there(on, shop, words, said):
    task = (
        "apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {name: migrates}\n"
        "spec: {image: example.com/web:1, command: [migrate], run: onChange}\n"
    )
    on("apply", shop({"a.yaml": CONFIG % ("settings", "EUR"), "task.yaml": task}), "--no-wait")
    ran = on("explain", *words)
    assert (ran.code, ran.err.splitlines()) == (1, said)


@pytest.mark.parametrize("word", ["configmap", "configmaps", "cm", "CM", "ConfigMap"])
def test_kinds_have_the_names_that_kubectl_knows(on, shop, word):
    on("apply", shop({"a.yaml": CONFIG % ("settings", "EUR")}))
    assert on("explain", f"{word}/settings").out.startswith("ConfigMap/default/settings is healthy")


@pytest.mark.parametrize("word", ["deploy", "deployments.apps", "deploy.apps", "deployment.apps"])
def test_so_are_those_of_other_groups(on, shop, word):
    on("apply", shop({"web.yaml": WEB}), "--no-wait")
    assert on("explain", f"{word}/web").out.startswith("Deployment/default/web is progressing")


def test_explain_of_what_is_not_ours(on):
    assert "not managed by reconciler" in on("explain", "namespace/default").out


def test_the_tutorial_on_a_cluster(cli, tmp_path, whole_cluster, monkeypatch):
    assert cli("init", tmp_path / "my-shop").code == 0
    monkeypatch.chdir(tmp_path / "my-shop")
    where = ("--kubeconfig", whole_cluster)
    folder = (".", "--paths", "base,env/prod", *where)
    ran = cli("apply", *folder)
    assert ran.code == 0, ran
    assert ran.out.splitlines()[-1].startswith("21 created; ")
    assert cli("plan", *folder) == (0, "no changes\n", "")
    assert "base/web.yaml" in cli("explain", "deployment/web", "-n", "shop", *where).out
    cart = tmp_path / "my-shop" / "base" / "cart.yaml"
    kept = [part for part in cart.read_text().split("---\n") if "kind: NetworkPolicy" not in part]
    cart.write_text("---\n".join(kept))
    assert cli("plan", *folder) == (2, "- NetworkPolicy/shop/redis  no longer in Git\n1 to prune\n", "")
