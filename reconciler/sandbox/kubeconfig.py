"""The kubeconfig of a sandbox: one cluster, one user without credentials, one context."""

from pathlib import Path

NAME = "sandbox"


def kubeconfig(url: str, *, name: str = NAME, namespace: str = "default") -> str:
    """YAML that kubectl and every client library read."""
    return (
        "apiVersion: v1\n"
        "kind: Config\n"
        "clusters:\n"
        f"- name: {name}\n"
        f"  cluster: {{server: {url}}}\n"
        "users:\n"
        f"- name: {name}\n"
        "  user: {}\n"
        "contexts:\n"
        f"- name: {name}\n"
        f"  context: {{cluster: {name}, user: {name}, namespace: {namespace}}}\n"
        f"current-context: {name}\n"
    )


def write_kubeconfig(path: Path, url: str, *, name: str = NAME, namespace: str = "default") -> None:
    """Write it, readable by its owner only as kubectl expects."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch(mode=0o600)
    path.write_text(kubeconfig(url, name=name, namespace=namespace))
