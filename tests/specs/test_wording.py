"""Refusals of our own kinds: what people read."""

import textwrap

import pytest

from reconciler.model.planner_config import DefaultsConfig, KubernetesUsage, PlannerConfig, UsageConfig
from reconciler.specs.load import Loader

DEPLOYMENT = """\
apiVersion: reconciler.dev/v1
kind: Deployment
metadata: {name: web, namespace: shop}
spec:
  image: registry.example.com/web:1
"""


def test_the_example_of_the_documentation(load) -> None:
    specs = load({"apps/web.yaml": DEPLOYMENT + "  replicas: three\n"})
    (problem,) = specs.problems
    assert "\n".join(problem.lines()) == (
        'apps/web.yaml:6:13: Deployment/web spec.replicas: "three" is not an integer\n'
        "  |  replicas: three\n"
        "  hint: leave it out and it stays what the cluster, or an autoscaler there, makes it"
    )


@pytest.mark.parametrize(
    ("field", "message", "hint"),
    [
        ("imag: x", 'spec.imag: unknown field "imag"', "did you mean image?"),
        ("Replicas: 3", 'spec.Replicas: unknown field "Replicas"', "did you mean replicas?"),
        ("replicas: -1", "spec.replicas: -1 is less than 0", "leave it out"),
        ("replicas: 2.5", "spec.replicas: 2.5 is not an integer", "leave it out"),
        ("command: ./run", 'spec.command: "./run" is not a list', ""),
        ("command: [{}]", "spec.command[0]: a mapping is not a string", ""),
        ("ports: [{containerPort: 99999}]", "spec.ports[0].containerPort: 99999 is more than 65535", ""),
        ("ports: [{name: http}]", 'spec.ports[0]: the required field "containerPort" is missing', ""),
        (
            "ports: [{containerPort: 80, protocol: tcp}]",
            'protocol: "tcp" is not one of TCP, UDP, SCTP',
            "did you mean TCP?",
        ),
        ("env: {A: [1]}", "spec.env.A: a list is not a value or a single source such as", ""),
        ("env: {A: {secretKeyRef: {nam: x, key: y}}}", 'secretKeyRef.nam: unknown field "nam"', "did you mean name?"),
        ("env: {A: {secretKeyRef: {name: x}}}", 'spec.env.A.secretKeyRef: the required field "key" is missing', ""),
        ("files: {etc: ./x}", 'spec.files.etc: "etc" is not an absolute path in the container', ""),
        ("expose: [{port: 80, path: /}]", 'spec.expose[0].path: needs the field "host" beside it', ""),
        ("expose: [{port: http}]", 'spec.expose[0].port: "http" is not an integer', ""),
        ("rollout: {maxSurge: 25}", "", ""),
        ('rollout: {maxSurge: "25"}', 'maxSurge: "25" is not a number or a percentage such as 25%', ""),
        ("resources: {requests: {cpu: lots}}", 'requests.cpu: "lots" is not a quantity such as 250m, 1.5 or 256Mi', ""),
        ("volumes: [{name: a, claim: {}}]", 'spec.volumes[0].claim: the required field "size" is missing', ""),
        ("volumes: [{name: a, mountPath: /a}]", 'spec.volumes[0]: the volume "a" has no source', "such as emptyDir"),
        ("volumes: [{name: a, emptyDir: {}, hostPath: {path: /}}]", "one source, not emptyDir and hostPath", ""),
        ("volumes: [{name: a, emtyDir: {}, mountPath: /a}]", 'unknown field "emtyDir"', "did you mean emptyDir?"),
        ("volumes: [{name: a, emptyDir: {}}, {name: a, emptyDir: {}}]", 'the volume "a" is described twice', ""),
        ("readinessProbe: {httpGet: {path: /}}", 'readinessProbe.httpGet: the required field "port" is missing', ""),
        ("readinessProbe: {periodSeconds: 0}", "periodSeconds: 0 is less than 1", ""),
        ("sidecars: [{name: a}]", 'spec.sidecars[0]: the required field "image" is missing', ""),
        ("sidecars: [{name: a, image: b:1, env: {A: b}}]", "spec.sidecars[0].env: a mapping is not a list", ""),
        ("dependsOn: [migrate]", '"migrate" is not a reference such as Task/migrate', ""),
        ("template: {spec: {hostNetwork: text}}", 'spec.template.spec.hostNetwork: "text" is not true or false', ""),
        ("template: {spec: {containers: [{name: web, stdin: true}]}}", "", ""),
        ("scale: {min: 2}", 'spec.scale: the required field "max" is missing', ""),
        ("scale: {max: 2, target: {cpu: 65}}", "spec.scale.target.cpu", ""),
        ("scale: {max: 2, target: {cpu: 65 %}}", "is not a percentage of the requests, or a quantity of cores", ""),
        ("scale: {max: 2, target: {}}", "spec.scale.target", ""),
        ("scale: {max: 2, min: 3, target: {cpu: 1}}", "min is 3, max is 2", ""),
        ("scale: {max: 2, target: {cpu: 65%}}", "65% of what?", "state resources.requests.cpu"),
        ("scale: {max: 2, target: {memory: 1Gi}}", "", ""),
        (
            "scale: {max: 2, target: {cpu: 500m}}\n  replicas: 2",
            "replicas and scale are both stated",
            "state one: a number, or how it follows the load",
        ),
        ("scale: {max: 2, min: 0, query: up, perReplica: 0.5}", "", ""),
        ("scale: {max: 2, query: up}", "a query needs perReplica or serviceTime beside it", "perReplica: 50"),
        ("scale: {max: 2, perReplica: 1, target: {cpu: 1}}", 'needs the field "query" beside it', ""),
        ("scale: {max: 2, query: up, serviceTime: 80ms}", "", ""),
        ("scale: {max: 2, query: up, perReplica: 9, serviceTime: 1s500ms, maxWait: 1m, waiting: 0.05%}", "", ""),
        ("scale: {max: 2, query: up, serviceTime: 80}", '"80" is not a duration above nothing, such as 80ms', ""),
        ("scale: {max: 2, query: up, serviceTime: 0ms}", '"0ms" is not a duration above nothing', ""),
        ("scale: {max: 2, query: up, serviceTime: 1h}", '"1h" is not a duration above nothing', ""),
        ("scale: {max: 2, query: up, serviceTime: 80ms, maxWait: soon}", '"soon" is not a duration', ""),
        ("scale: {max: 2, query: up, serviceTime: 1s, waiting: 100%}", "is not a percentage from 0.01% to 99.99%", ""),
        ("scale: {max: 2, query: up, serviceTime: 1s, waiting: 0.0%}", "is not a percentage", ""),
        ("scale: {max: 2, query: up, serviceTime: 1s, waiting: 0.05}", "is not a percentage", ""),
        ("scale: {max: 2, query: up, serviceTime: 1s, concurrency: 0}", "concurrency: 0 is less than 1", ""),
        ("scale: {max: 2, query: up, perReplica: 1, waiting: 5%}", 'needs the field "serviceTime" beside it', ""),
        ("scale: {max: 2, target: {cpu: 1}, serviceTime: 80ms}", 'needs the field "query" beside it', ""),
        ("scale: {max: 2, query: up, perReplica: 0}", "spec.scale.perReplica", ""),
        (
            "scale: {max: 2, query: 'sum(rate(up[2m])', perReplica: 1}",
            "spec.scale.query: this is no PromQL: it opens a ( that it does not close",
            "",
        ),
        ("scale: {max: 2, query: 'up{a=\"b}', perReplica: 1}", "that does not end, at its letter 6", ""),
        ("scale: {max: 2}", "exactly one of target and query", "target: {cpu: 65%}"),
        ("scale: {max: 2, target: {cpu: 1}, query: up, perReplica: 1}", "exactly one of target and query", ""),
        ("scale: {max: 2, min: 0, target: {cpu: 1}}", "keeps one pod at least", "scale by a query"),
        ("placement: {spread: host}", "spec.placement.spread", ""),
        ("placement: {zones: [a, a]}", "spec.placement.zones", ""),
        ("placement: {zones: [a, b], spread: zone}", "", ""),
        ("placement: {pool: general}", "", ""),
        ("placement: {pool: 3}", "spec.placement.pool", ""),
        ("placement: {zone: a}", 'unknown field "zone"', ""),
        ("planner: {profile: cost, weights: {spread: 0.2}}", "", ""),
        ("planner: {}", "", ""),
        ("planner: {profile: cheap}", 'spec.planner.profile: "cheap" is not one of balanced, cost, resilient', ""),
        ("planner: {weights: {spraed: 1}}", 'spec.planner.weights.spraed: "spraed" is not one', "did you mean spread?"),
        ("planner: {wieghts: {}}", 'spec.planner.wieghts: unknown field "wieghts"', "did you mean weights?"),
        ("planner: {weights: {spread: -1}}", "weights.spread: -1 is less than 0", "a number from 0 to 1000"),
        ("planner: {weights: {spread: 1001}}", "weights.spread: 1001 is more than 1000", "a number from 0 to 1000"),
        ("planner: {weights: {spread: .nan}}", ".nan is not a JSON value", "a number from 0 to 1000"),
        ("planner: {weights: {spread: -.inf}}", "-.inf is not a JSON value", "a number from 0 to 1000"),
        ("planner: {weights: {spread: '2'}}", 'weights.spread: "2" is not a number', "a number from 0 to 1000"),
        ("replicas: .nan", ".nan is not a JSON value", ""),
        (
            "resources: {requests: {memory: 2Gi}, limits: {memory: 1Gi}}",
            "spec.resources.requests.memory: 2Gi of memory is requested, and its limit is 1Gi",
            "a limit is the request or more",
        ),
        ("resources: {requests: {memory: 1Gi}, limits: {memory: 1024Mi}}", "", ""),
        (
            "rollout: {maxSurge: 0, maxUnavailable: 0%}",
            "spec.rollout: neither may a pod be missing",
            "let maxSurge be 1",
        ),
        ("rollout: {maxSurge: 0, maxUnavailable: 1}", "", ""),
        ("scale: {min: 2, target: {cpu: 200m}}", 'the required field "max" is missing', ""),
        ("placement: {shares: {on-demand: 30%, spot: 70%}}", "", ""),
        ("placement: {shares: [spot]}", "is not shares of 2 to 20 pools", "shares: {on-demand: 30%"),
        ("placement: {shares: {spot: 100%}}", "is not shares of 2 to 20 pools", "shares: {on-demand: 30%"),
        ("placement: {shares: {a: 50, b: 50%}}", 'shares.a: "50" is not a percentage from 1% to 99%', ""),
        ("placement: {shares: {a: 0%, b: 99%}}", 'shares.a: "0%" is not a percentage from 1% to 99%', ""),
        ("placement: {shares: {a: 33.3%, b: 66.7%}}", 'shares.a: "33.3%" is not a percentage', ""),
        ("placement: {shares: {Spot: 50%, b: 50%}}", 'shares.Spot: "Spot" is not a DNS label', ""),
        ("placement: {shares: {a: 30%, b: 60%}}", "spec.placement.shares: the shares add up to 90%, not to 100%", ""),
        (
            "placement: {pool: c, shares: {a: 50%, b: 50%}}",
            "spec.placement.shares: pool and shares are both stated",
            "state one: a pool for all pods, or shares over pools",
        ),
        (
            f"placement: {{shares: {{{'p' * 60}: 50%, b: 50%}}}}",
            "would have a name of 64 characters, at most 63 fit",
            "shorten the document's name or the pool's",
        ),
        (
            "placement: {shares: {a: 10%, b: 90%}}\n  scale: {max: 4, target: {cpu: 500m}}",
            "of 4 pods none would be in a, and an autoscaler there needs one",
            "state more, or other shares",
        ),
        ("placement: {shares: {a: 10%, b: 90%}}\n  scale: {max: 4, query: up, perReplica: 1}", "", ""),
        ("rollout: {onFailure: hold}", 'the field "onFailure" is not supported yet', "not acted on in this version"),
    ],
)
def test_fields_of_a_deployment(load, field: str, message: str, hint: str) -> None:
    specs = load(DEPLOYMENT + f"  {field}\n")
    if not message:
        assert not specs.problems
        return
    assert message in "\n".join(map(str, specs.problems))
    assert hint in "\n".join(problem.hint for problem in specs.problems)
    assert all(problem.location.line in (6, 7) for problem in specs.problems)


UNKNOWN = "without it, and without a planner that fills it in, the autoscaler does nothing"
MEASURES = PlannerConfig(usage=UsageConfig(kubernetes=KubernetesUsage()))


@pytest.mark.parametrize(
    ("planner", "resources", "hint"),
    [
        (None, "", UNKNOWN),
        (None, "requests: {memory: 1Gi}", UNKNOWN),
        (None, "requests: {cpu: 1}", ""),
        (None, "limits: {cpu: 1}", ""),
        (PlannerConfig(), "", "cpu; without it the autoscaler does nothing"),
        (PlannerConfig(defaults=DefaultsConfig({"memory": "1Gi"})), "", "cpu; without it the autoscaler does nothing"),
        (PlannerConfig(defaults=DefaultsConfig({"cpu": "1"})), "", ""),
        (MEASURES, "", ""),
    ],
)
def test_a_percentage_is_of_a_request_that_somebody_states(
    load, planner: PlannerConfig | None, resources: str, hint: str
) -> None:
    text = f"{DEPLOYMENT}  scale: {{max: 2, target: {{cpu: 65%}}}}\n  resources: {{{resources}}}\n"
    problems = load(text, loader=Loader(planner=planner)).problems
    assert [problem.code for problem in problems] == (["no-request"] if hint else [])
    assert all(hint in problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("{image: a:1, run: once}", 'spec.run: "once" is not supported yet'),
        ("{image: a:1, planner: {weights: {cost: -1}}}", "spec.planner.weights.cost: -1 is less than 0"),
        (
            "{image: a:1, run: schedule, schedule: 0 3 * * *, planner: {profile: cost}}",
            "spec.planner: a scheduled task is not planned, for its pods come and go",
        ),
        ("{image: a:1, run: onChanges}", 'spec.run: "onChanges" is not one of onChange, schedule'),
        ("{image: a:1, run: schedule}", 'spec: the required field "schedule" is missing'),
        ("{image: a:1, schedule: 0 3 * * *}", "spec.schedule: is for a task with run: schedule"),
        (
            "{image: a:1, run: schedule, schedule: 61 3 * * *}",
            '"61 3 * * *" is not a cron schedule, or never comes due',
        ),
        ("{image: a:1, run: schedule, schedule: 0 3 ? * SUN}", ""),
        ("{image: a:1, run: schedule, schedule: daily}", '"daily" is not a schedule of five fields such as 0 3 * * *'),
        ("{image: a:1, timeout: 10 minutes}", '"10 minutes" is not a duration such as 90s, 10m or 1h30m'),
        ("{image: a:1, timeout: ''}", '"" is not a duration'),
        ("{image: a:1, onSupersede: cancel}", 'the field "onSupersede" is not supported yet'),
        ("{image: a:1, replicas: 3}", 'unknown field "replicas"'),
        (
            "{image: a:1, placement: {shares: {a: 50%, b: 50%}}}",
            "a Task runs in one place: shares are for a Deployment",
        ),
    ],
)
def test_fields_of_a_task(load, said, spec: str, message: str) -> None:
    specs = load(f"apiVersion: reconciler.dev/v1\nkind: Task\nmetadata: {{name: t}}\nspec: {spec}\n")
    assert message in "\n".join(said(specs))


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (f"{{repository: a, tag: x, digest: 'sha256:{'0' * 64}'}}", "spec: state exactly one of tag, digest,"),
        ("{repository: a, digest: sha256:0}", '"sha256:0" is not sha256: and 64 hexadecimal digits'),
        ("{repository: 'a:1', tag: x}", "spec.repository: a repository has no tag"),
        ("{repository: Shop/Web, tag: x}", "a repository has no capital letters"),
        ("{repository: 'https://a/b', tag: x}", "it must not begin with a scheme"),
        ("{repository: a, tag: -x}", '"-x" is not a tag'),
        ("{repository: a}", "state exactly one of tag, digest, follow and build"),
        ("{repository: a, tag: x, follow: {tag: x}}", "state exactly one of tag, digest, follow and build"),
        ("{repository: a, follow: {}}", "state exactly one of semver, tag and pattern"),
        ("{repository: a, follow: {semver: new}}", 'spec.follow.semver: "new" cannot be followed: '),
        ("{repository: a, follow: {pattern: '(a+)+'}}", 'spec.follow.pattern: "(a+)+" cannot be followed: '),
        ("{repository: a, follow: {tag: x, order: numeric}}", 'needs the field "pattern" beside it'),
        ("{repository: a, follow: {pattern: x, order: latest}}", '"latest" is not one of numeric, alphabetical'),
        ("{repository: a, build: {}}", 'the required field "context" is missing'),
        ("{repository: a, build: {context: /srv}}", "is not a folder of the repository, relative to this document"),
        ("{repository: a, build: {context: ., args: {A-B: x}}}", '"A-B" is not the name of an ARG'),
        ("{repository: a, build: {context: ., platforms: [arm64]}}", '"arm64" is not an operating system and an'),
    ],
)
def test_fields_of_an_image(load, said, spec: str, message: str) -> None:
    specs = load(f"apiVersion: reconciler.dev/v1\nkind: Image\nmetadata: {{name: i}}\nspec: {spec}\n")
    assert message in "\n".join(said(specs))


@pytest.mark.parametrize(
    ("head", "message", "hint"),
    [
        (
            "{apiVersion: reconciler.dev/v2, kind: Task}",
            '"reconciler.dev/v2" is not a known version',
            "knows reconciler.dev/v1",
        ),
        ("{apiVersion: reconciler.dev/v1, kind: Taks}", '"Taks" is not a kind of reconciler.dev', "did you mean Task?"),
        (
            "{apiVersion: reconciler.dev/v1, kind: Service}",
            '"Service" is not a kind',
            "known are Deployment, Image, Task",
        ),
        ("{apiVersion: reconciler.dev/v1, kind: Task, status: {}}", 'unknown field "status"', ""),
    ],
)
def test_kinds_and_versions(load, said, head: str, message: str, hint: str) -> None:
    specs = load(head[:-1] + ", metadata: {name: x}, spec: {image: 'a:1'}}")
    assert message in "\n".join(said(specs))
    assert hint in "\n".join(problem.hint for problem in specs.problems)


def test_everything_is_said_at_once(load, said) -> None:
    specs = load(
        {
            "b.yaml": DEPLOYMENT.replace("web", "b") + "  replicas: x\n  port: 1\n  dependsOn: [Task/nowhere]\n",
            "a.yaml": "a: b: c",
            "c.yaml": "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: c}\ndata: []\n",
        }
    )
    assert said(specs) == [
        "a.yaml:1:5: mapping values are not allowed in this context",
        'b.yaml:6:13: Deployment/b spec.replicas: "x" is not an integer',
        'b.yaml:7:3: Deployment/b spec.port: unknown field "port"',
        'b.yaml:8:15: Deployment/b spec.dependsOn[0]: there is no document "Task/nowhere"',
        "c.yaml:4:7: ConfigMap/c data: a list is not a mapping",
    ]


def test_long_lines_and_values_are_cut(load) -> None:
    (problem,) = load(DEPLOYMENT + f"  replicas: {'x' * 500}\n").problems
    assert len(problem.excerpt) == 160
    assert len(problem.message) < 100


def test_a_document_that_is_right(load) -> None:
    text = textwrap.dedent(
        """
        apiVersion: reconciler.dev/v1
        kind: Deployment
        metadata:
          name: web
          namespace: shop
          labels: {team: checkout}
          annotations: {reconciler.dev/prune: "false"}
        spec:
          image: registry.example.com/shop/web:1.4
          command: [./serve]
          ports: [{name: http, containerPort: 8080}]
          env: {LOG_LEVEL: info, PORT: 8080, DEBUG: true, DB: {secretKeyRef: {name: db, key: password}}}
          envFrom: [{configMapRef: {name: common}}]
          volumes:
            - {name: cache, mountPath: /cache, emptyDir: {}}
            - {name: data, mountPath: /data, claim: {size: 10Gi}}
            - {name: data, mountPath: /more, subPath: more}
          readinessProbe: {httpGet: {path: /healthz, port: http}}
          initContainers: [{name: wait, image: busybox:1, command: ["true"]}]
          securityContext: {runAsUser: 1000}
          expose: [{port: 80, targetPort: http, host: shop.example.com, tls: shop-tls}]
          replicas: 3
          resources: {requests: {cpu: 250m, memory: 256Mi}, limits: {memory: 1073741824}}
          placement: {nodeSelector: {a: b}, tolerations: [{key: a, operator: Exists}], priorityClassName: high}
          rollout: {maxSurge: 25%, maxUnavailable: 0, progressDeadlineSeconds: 300}
        """
    )
    specs = load(text)
    assert not specs.problems
    (document,) = specs.documents.values()
    assert document.spec.replicas == 3
    assert document.spec.env == {
        "LOG_LEVEL": "info",
        "PORT": 8080,
        "DEBUG": True,
        "DB": {"secretKeyRef": {"name": "db", "key": "password"}},
    }
    assert document.spec.expose[0].target_port == "http"
    assert document.spec.rollout.max_surge == "25%"
    assert document.labels == {"team": "checkout"}
    assert document.annotations == {"reconciler.dev/prune": "false"}
    assert (document.origin.path, document.origin.line, len(document.origin.text_hash)) == ("a.yaml", 2, 16)
    assert document.ours
