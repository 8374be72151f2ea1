"""Specs that many tests commit."""

NAMESPACE = "apiVersion: v1\nkind: Namespace\nmetadata: {name: shop}\n"


def config(name: str, value: str = "1", **annotations: str) -> str:
    """A ConfigMap; keywords are reconciler.dev annotations."""
    noted = "".join(f"    reconciler.dev/{key.replace('_', '-')}: {val!r}\n" for key, val in annotations.items())
    head = f"  annotations:\n{noted}" if noted else ""
    return f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {name}\n{head}data: {{value: {value!r}}}\n"


def deployment(name: str = "web", image: str = "example.com/web:1", extra: str = "") -> str:
    """A Deployment spec; `extra` is more of its spec, indented by two."""
    return (
        "apiVersion: reconciler.dev/v1\nkind: Deployment\n"
        f"metadata: {{name: {name}}}\nspec:\n  image: {image}\n  ports: [{{name: http, containerPort: 8080}}]\n{extra}"
    )


def task(name: str = "migrate", image: str = "example.com/web:1", extra: str = "") -> str:
    """A Task spec that runs on change."""
    return (
        "apiVersion: reconciler.dev/v1\nkind: Task\n"
        f"metadata: {{name: {name}}}\nspec:\n  image: {image}\n  command: [migrate]\n  run: onChange\n{extra}"
    )
