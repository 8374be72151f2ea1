"""A build as a Kubernetes Job. Pure: the object alone.

    init container `context`    this product's image: brings the context as an OCI artifact, compared with its digest
    BuildKit                    container `build`: rootless, builds and pushes
    Buildah                     init container `build`, container `push`

The Job's name is made of what is built, so the same build is the same Job, also after the daemon's restart. It runs
once, for so many seconds, with so much processor time, memory and disk; its pod has no token of the cluster's.

BuildKit without root needs a seccomp and an AppArmor profile that let it make user namespaces, and Buildah needs to
become its own subordinate users: neither passes the "restricted" Pod Security Standard. So builds have a namespace of
their own.
"""

import hashlib
import math
from collections.abc import Collection, Sequence
from pathlib import PurePosixPath
from typing import Any, Final

from reconciler.images import buildah_argv
from reconciler.images.builder import Work
from reconciler.images.context import CONTAINERFILE
from reconciler.images.reference import Reference
from reconciler.model.image import JobSettings, JobTool

WORK: Final = PurePosixPath("/work")
CREDENTIALS: Final = "/credentials"
AUTHORITIES: Final = "/authorities"
LABEL: Final = "reconciler.dev/build"
ANNOTATION: Final = "reconciler.dev/image"
_USER: Final = 1000
_STATE: Final = "/home/user/.local/share/buildkit"

Object = dict[str, Any]


def name_of(target: Reference) -> str:
    """The Job's name."""
    return f"build-{hashlib.sha256(str(target).encode('ascii')).hexdigest()[:20]}"


def job(
    work: Work, context: Reference, settings: JobSettings, plain: Collection[str] = (), *, folder: PurePosixPath = WORK
) -> Object:
    """The Job that builds `work` from the artifact `context`. `plain` are registries without TLS."""
    name = name_of(work.target)
    init = [_container("context", settings.fetch_image, _fetch(context, settings, plain, folder), settings, folder)]
    if settings.tool is JobTool.BUILDKIT:
        main = _buildkit(work, settings, plain, folder)
    else:
        build, main = _buildah(work, settings, folder)
        init.append(build)
    seconds = math.ceil(work.timeout)
    labels = {LABEL: name}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": settings.namespace,
            "labels": labels,
            "annotations": {ANNOTATION: str(work.target)},
        },
        "spec": {
            "backoffLimit": 0,
            "activeDeadlineSeconds": seconds,
            "ttlSecondsAfterFinished": int(settings.keep),
            "template": {
                "metadata": {"labels": labels, "annotations": {ANNOTATION: str(work.target)}},
                "spec": _without_empty(
                    {
                        "restartPolicy": "Never",
                        "automountServiceAccountToken": False,
                        "enableServiceLinks": False,
                        "serviceAccountName": settings.service_account,
                        "nodeSelector": settings.node_selector,
                        "tolerations": list(settings.tolerations),
                        "securityContext": {"runAsUser": _USER, "runAsGroup": _USER, "fsGroup": _USER},
                        "initContainers": init,
                        "containers": [main],
                        "volumes": _volumes(work, settings),
                    }
                ),
            },
        },
    }


def _fetch(context: Reference, settings: JobSettings, plain: Collection[str], folder: PurePosixPath) -> list[str]:
    argv = ["python", "-m", "reconciler.images.fetch", f"--from={context}", f"--work={folder}"]
    argv += [f"--plain={registry}" for registry in sorted(plain)]
    argv += [f"--config-file={CREDENTIALS}/config.json"] if settings.credentials_secret else []
    return argv + ([f"--ca-file={AUTHORITIES}/ca.crt"] if settings.ca_config_map else [])


def _buildah(work: Work, settings: JobSettings, folder: PurePosixPath) -> tuple[Object, Object]:
    """The containers that build and push."""
    places = buildah_argv.Places(folder)
    places.auth = PurePosixPath(CREDENTIALS) / "config.json"
    places.certificates = PurePosixPath(AUTHORITIES)
    trust = {"auth": bool(settings.credentials_secret), "certificates": bool(settings.ca_config_map)}
    security = {"allowPrivilegeEscalation": True, "capabilities": {"add": ["SETGID", "SETUID"]}}
    found = []
    for name, argv in (
        ("build", buildah_argv.build(work, places, **trust)),
        ("push", buildah_argv.push_to_registry(work, places, **trust)),
    ):
        made = _container(name, settings.tool_image, argv, settings, folder, work=work)
        environment = buildah_argv.environment(folder, buildah_argv.PATH)
        made["env"] = [{"name": key, "value": value} for key, value in environment.items()]
        made["securityContext"] = security
        found.append(made)
    return found[0], found[1]


def _buildkit(work: Work, settings: JobSettings, plain: Collection[str], folder: PurePosixPath) -> Object:
    made = _container("build", settings.tool_image, buildkit_argv(work, plain, folder), settings, folder, work=work)
    made["env"] = [{"name": "BUILDKITD_FLAGS", "value": "--oci-worker-no-process-sandbox"}]
    if settings.credentials_secret:
        made["env"].append({"name": "DOCKER_CONFIG", "value": CREDENTIALS})
    if settings.ca_config_map:
        made["env"].append({"name": "SSL_CERT_DIR", "value": AUTHORITIES})  # read beside the image's own file
    made["securityContext"] = {
        "seccompProfile": {"type": "Unconfined"},
        "appArmorProfile": {"type": "Unconfined"},
        "runAsUser": _USER,
        "runAsGroup": _USER,
    }
    made["volumeMounts"].append({"name": "state", "mountPath": _STATE})
    return made


def buildkit_argv(work: Work, plain: Collection[str], folder: PurePosixPath) -> list[str]:
    """BuildKit's client, which starts its own daemon. Bases are pinned in the Containerfile already."""
    stated = work.inputs.build
    output = f"type=image,name={work.target},push=true,oci-mediatypes=true,rewrite-timestamp=true"
    if work.target.repository.registry in plain:
        output += ",registry.insecure=true"
    options = {"filename": CONTAINERFILE, "build-arg:SOURCE_DATE_EPOCH": "0"}
    options |= {f"build-arg:{name}": value for name, value in sorted(stated.args.items())}
    options |= {"target": stated.target} if stated.target else {}
    options |= {"platform": ",".join(buildah_argv.platforms(work))} if stated.platforms else {}
    return [
        "buildctl-daemonless.sh",
        "build",
        "--progress=plain",
        "--frontend=dockerfile.v0",
        f"--local=context={folder}/context",
        f"--local=dockerfile={folder}",
        *(f"--opt={name}={value}" for name, value in options.items()),
        f"--output={output}",
    ]


def _container(
    name: str,
    image: str,
    argv: Sequence[str],
    settings: JobSettings,
    folder: PurePosixPath,
    *,
    work: Work | None = None,
) -> Object:
    mounts = [{"name": "work", "mountPath": str(folder)}]
    if settings.credentials_secret:
        mounts.append({"name": "credentials", "mountPath": CREDENTIALS})
    if settings.ca_config_map:
        mounts.append({"name": "authorities", "mountPath": AUTHORITIES})
    resources: Object = {
        "requests": {"cpu": "100m", "memory": "256Mi"},
        "limits": {"cpu": settings.cpu, "memory": settings.memory},
    }
    if work is not None:
        resources["limits"]["ephemeral-storage"] = str(work.quota)
    command = [word.replace("$", "$$") for word in argv]  # a kubelet fills in $(NAME), and makes $$ one
    made: Object = {"name": name, "image": image, "command": command, "resources": resources, "volumeMounts": mounts}
    if work is None:
        made["securityContext"] = {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}}
    return made


def _volumes(work: Work, settings: JobSettings) -> list[Object]:
    disk = {"sizeLimit": str(work.quota)}
    found: list[Object] = [{"name": "work", "emptyDir": disk}]
    if settings.tool is JobTool.BUILDKIT:
        found.append({"name": "state", "emptyDir": disk})
    if settings.credentials_secret:
        items = [{"key": ".dockerconfigjson", "path": "config.json"}]
        found.append({"name": "credentials", "secret": {"secretName": settings.credentials_secret, "items": items}})
    if settings.ca_config_map:
        found.append({"name": "authorities", "configMap": {"name": settings.ca_config_map}})
    return found


def _without_empty(fields: Object) -> Object:
    return {name: value for name, value in fields.items() if value not in (None, [], {})}
