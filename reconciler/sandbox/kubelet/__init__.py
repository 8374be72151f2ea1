"""The kubelets of all simulated nodes: pods run, fail and stop as their annotations and images say.

Annotations on a pod (or pod template) tell its containers what to do:

| annotation | value | meaning |
|---|---|---|
| `sandbox.reconciler.dev/behavior` | `run` | the default: start, become ready, run |
| | `crash` | exit with 1 as soon as started |
| | `fail` | run for the duration, then exit with 1 |
| | `oom` | run for the duration, then be killed for memory: OOMKilled, 137 |
| | `image-pull` | the image cannot be pulled: ErrImagePull, ImagePullBackOff |
| | `never-ready` | run, but never become ready |
| | `pending` | stay in ContainerCreating |
| `sandbox.reconciler.dev/duration` | `3s`, `500ms`, `2m` | how long the main containers run (default: a Job's 1 s) |
| `sandbox.reconciler.dev/exit-code` | `3` | what the main containers exit with at the end |

An image whose tag is one of these words does the same for its own container, and the tag `broken` cannot be pulled:
`registry.example.com/web:crash`. An annotation is stronger than a tag.
"""
