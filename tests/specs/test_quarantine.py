"""One bad document never blocks a good one (rule 10 needs to know which are bad)."""

from reconciler.kube.names import Identity

GOOD = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: good%s}\n"


def test_rule_10_a_bad_document_is_quarantined_alone(load) -> None:
    text = GOOD % 1 + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: []\n---\n" + GOOD % 2
    specs = load(text)
    assert [identity.name for identity in specs.documents] == ["good1", "good2"]
    assert specs.quarantined == {Identity("", "ConfigMap", "default", "bad")}
    assert specs.unknown == ()
    (problem,) = specs.problems
    assert problem.identity in specs.quarantined


def test_rule_10_duplicate_keys_leave_the_identity_known(load) -> None:
    text = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: bad}\ndata: {a: b}\ndata: {}\n"
    specs = load(text)
    assert specs.quarantined == {Identity("", "ConfigMap", "default", "bad")}
    assert specs.unknown == ()
    (problem,) = specs.problems
    assert str(problem) == 'a.yaml:5:1: ConfigMap/bad: the key "data" is stated twice'
    assert [str(place) for place in problem.also] == ["a.yaml:4:1"]


def test_rule_10_a_file_with_a_syntax_error_is_unknown(load) -> None:
    specs = load({"a.yaml": GOOD % 1 + "---\n" + GOOD % 2 + "---\na: b: c\n", "b.yaml": GOOD % 3})
    assert [identity.name for identity in specs.documents] == ["good1", "good2", "good3"]
    assert specs.unknown == ("a.yaml",)
    (problem,) = specs.problems
    assert problem.identity is None


def test_warnings_quarantine_nothing(load) -> None:
    specs = load(GOOD % 1 + "foo: bar\n")
    assert len(specs.documents) == 1
    assert [problem.code for problem in specs.problems] == ["unknown-field"]
    assert not specs.quarantined


def test_no_secret_is_repeated_from_a_broken_file(load) -> None:
    for text in (
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: hunter2: x}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: 'hunter2', a: 'hunter2'}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: [hunter2]}\ndata: {b: hunter2}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringDat: {a: hunter2}\n",
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s}\nstringData: {a: !x hunter2}\n",
        "apiVersion: v1\nkind: Secret\nstringData: {a: hunter2}\n",
        '{"kind": "Secret", "stringData": {"a": "hunter2"',
    ):
        specs = load({"a.json" if text.startswith("{") else "a.yaml": text})
        assert specs.problems
        assert "hunter2" not in "\n".join(line for problem in specs.problems for line in problem.lines())
