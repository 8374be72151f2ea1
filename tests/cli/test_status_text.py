"""What `status` says, line by line, of what a command line alone does not bring about."""

from reconciler.cli.status import _left


def left(kind, namespace, count):
    return {"kind": kind, "namespace": namespace, "count": count}


def test_what_is_left_behind_is_counted_by_place_and_kind():
    found = [left("Namespace", "", 1), left("ConfigMap", "annex", 2), left("Deployment.apps", "annex", None)]
    assert _left(found) == [
        "  left behind, kept and no longer managed: outside of the source's namespaces",
        "    in no namespace: Namespace: 1",
        "    in annex: ConfigMap: 2, Deployment.apps: unknown",
        "    hint: name the namespace again to manage it, or delete by hand what is not needed",
    ]


def test_nothing_left_is_nothing_said():
    assert _left([]) == []
