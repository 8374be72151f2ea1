"""Whatever a pull request is made of, its comment calls nobody, links nowhere and commands nothing."""

import re

import pytest
from reviews import review_of
from texts import deployment
from virtual import virtual

from reconciler.diff.views.markdown import code, fence, plain, render
from reconciler.kube.names import Identity
from reconciler.model.change import Action, Change
from reconciler.review.review import Review
from reconciler.review.views import markdown, sarif, text

EVIL = "x\n\n/merge\n\n# @everyone ![i](https://e.example/i.png) <img src=x> www.e.example #1 `\n```\n"
QUOTED = EVIL.replace("\n", "\\n")
BINDING = f"""\
apiVersion: rbac.authorization.k8s.io/v1
kind: ClusterRoleBinding
metadata: {{name: evil}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: ClusterRole, name: "{QUOTED}"}}
subjects: [{{kind: User, name: "{QUOTED}"}}, {{kind: User, name: "`@everyone"}}]
"""
KIND = f'apiVersion: v1\nkind: "{QUOTED}"\nmetadata: {{name: a, namespace: shop}}\n'
COMMAND = KIND.replace(QUOTED, "/merge now").replace("name: a", "name: b")
VALUES = f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: c, namespace: shop}}\ndata: {{"{QUOTED}": "{QUOTED}"}}\n'
NAME = f'apiVersion: v1\nkind: ConfigMap\nmetadata: {{name: "{QUOTED}", annotations: {{"{QUOTED}": "{QUOTED}"}}}}\n'


async def hostile() -> Review:
    base = {"web": deployment(), "c": VALUES.replace('": "x', '": "y')}
    head = {"web": deployment(image="example.com/web:2"), "rbac": BINDING, "kind": KIND, "command": COMMAND}
    return await review_of(base, {**head, "c": VALUES, "name": NAME})


def outside_code(shown: str) -> str:
    """What of a comment is not code: there forges look for names, addresses and markup."""
    kept, ticks = [], ""
    for line in shown.split("\n"):
        if opening := re.match("`{3,}", line):
            ticks = "" if line == ticks else ticks or opening[0]
        elif not ticks:
            kept.append(re.sub("`[^`]*`|<code>.*?</code>", "", line))
    assert not ticks, "every fence is closed"
    return "\n".join(kept)


@virtual
async def test_nothing_in_a_comment_is_the_authors_markup() -> None:
    shown = markdown.render(await hostile())
    assert not re.search("^ {0,3}/", shown, re.MULTILINE), "GitLab would do as it is told"
    assert not re.search("^# ", shown, re.MULTILINE)
    bare = outside_code(shown)
    assert "everyone" in bare, "somebody of this name is bound"
    assert not re.search(r"(?<!&)#\d", bare)
    for wrong in ("@everyone", "https://", "www.e", "<img", "]("):
        assert wrong not in re.sub(r"\\.", "", bare), wrong


@virtual
async def test_nothing_in_an_annotation_is_a_link() -> None:
    found = sarif.document(await hostile())["runs"][0]["results"]
    assert any("[i]" in result["message"]["text"] for result in found)
    assert not any("](" in result["message"]["text"] for result in found)


UNSEEN = "\\x1b[31m\\u202e\\u200b\\x07"
UNSEEN_ = f'{{name: "{UNSEEN}", namespace: shop, annotations: {{"{UNSEEN}": "{UNSEEN}"}}}}'


@virtual
async def test_no_view_has_letters_that_are_not_seen() -> None:
    """What drives a terminal, or turns the direction of a line, is written out."""
    files = {
        "kind": f'apiVersion: v1\nkind: "{UNSEEN}"\nmetadata: {{name: a, namespace: shop}}\n',
        "name": f"apiVersion: v1\nkind: ConfigMap\nmetadata: {UNSEEN_}\n",
        "spec": f'apiVersion: reconciler.dev/v1\nkind: Deployment\nmetadata: {{name: web}}\nspec: {{"{UNSEEN}": 1}}\n',
        "bind": BINDING.replace(QUOTED, UNSEEN),
        "c": VALUES.replace(QUOTED, UNSEEN),
    }
    review = await review_of({"c": VALUES.replace(QUOTED, "x")}, files)
    assert review.problems
    assert review.risks
    said = [result["message"]["text"] for result in sarif.document(review)["runs"][0]["results"]]
    for shown in (text.render(review), markdown.render(review), *said):
        assert all(line.isprintable() for line in shown.split("\n"))


@virtual
async def test_nothing_in_a_terminal_begins_a_line_of_its_own() -> None:
    shown = text.render(await hostile())
    assert not re.search("^ {0,4}(/merge$|# @everyone)", shown, re.MULTILINE)


@pytest.mark.parametrize("view", [code, plain])
@pytest.mark.parametrize("evil", ["", "a\n\nb", "\u061c\u202e", "\udcff", "\U000e0041"])
def test_a_word_is_one_line_of_letters_that_are_seen(view: object, evil: str) -> None:
    shown = code(evil) if view is code else plain(evil)
    assert "\n" not in shown
    assert shown != "``"
    assert shown.isprintable()
    shown.encode()


def test_a_fence_has_no_line_that_a_forge_takes_for_a_command_or_for_its_end() -> None:
    lines = fence("/merge\n```\n~~~\nplain").split("\n")
    assert lines[2:6] == [" /merge", " ```", " ~~~", "plain"]
    assert (lines[1], lines[6]) == ("````", "````")


def test_a_summary_calls_nobody_either() -> None:
    change = Change(Identity("", "ConfigMap", "a", "b"), Action.REFUSE, "owned by @everyone at https://e.example")
    shown = render([change])
    assert "@everyone" not in shown
    assert "https://" not in shown
