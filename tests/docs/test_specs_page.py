"""docs/specs.md against the schemas. RECONCILER_GOLDEN=write writes its tables anew."""

import os
import re

import pytest

from reconciler.specs.schemas import acceptor, resolved, schema

KINDS = {"image": "Image", "deployment": "Deployment", "task": "Task"}


def fields(kind):
    """Each field of a spec with its description; those of a part are indented by its name."""
    spec, document = resolved(schema(kind)["properties"]["spec"], schema(kind))

    def walk(node, document, before):
        for name, child in node.get("properties", {}).items():
            full, inner = resolved(child, document)
            yield f"{before}{name}", full["description"]
            items, within = resolved(full["items"], inner) if isinstance(full.get("items"), dict) else (full, inner)
            if items.get("additionalProperties") is False:
                yield from walk(items, within, f"{before}{name}{'[]' if items is not full else ''}.")

    return list(walk(spec, document, ""))


def table(rows):
    lines = [f"| `{name}` | {description.removesuffix('.')} |" for name, description in rows]
    return "\n".join(("| field | meaning |", "|---|---|", *lines))


def written(page):
    deployment = [name for name, _ in fields("Deployment")]

    def filled(match):
        rows = fields(KINDS[match[1]])
        if match[1] == "task":
            rows = [row for row in rows if row[0] not in deployment]
        return f"<!-- fields: {match[1]} -->\n\n{table(rows)}\n\n<!-- end -->"

    return re.sub(r"<!-- fields: (\w+) -->.*?<!-- end -->", filled, page.text, flags=re.DOTALL)


def test_the_tables_are_those_of_the_schemas(page):
    specs = page("docs/specs.md")
    if os.environ.get("RECONCILER_GOLDEN") == "write":
        specs.path.write_text(written(specs), encoding="utf-8")
    assert page("docs/specs.md").text == written(specs)


@pytest.mark.parametrize("kind", KINDS.values())
def test_the_examples_are_accepted(page, kind):
    import yaml

    (example,) = [block for block in page("docs/specs.md").blocks("yaml") if f"kind: {kind}\n" in block]
    assert acceptor(kind)(yaml.safe_load(example))


def test_every_annotation_is_documented(page):
    from reconciler.model import manifest

    settable = {"prune", "drift", "ignore", "replace", "adopt", "depends-on"}
    known = {value for name, value in vars(manifest).items() if name.startswith("ANNOTATION_")}
    stated = page("docs/specs.md").first_cells(page("docs/specs.md").sections()["Annotations of any object"])
    assert {text.split(":")[0] for text in stated} == {f"reconciler.dev/{name}" for name in settable}
    assert {f"reconciler.dev/{name}" for name in settable} <= known
