"""The daemon's own configuration, never read from a repository that it watches. schemas/config.json rules."""

import msgspec

from reconciler.model.alerting import AlertsConfig
from reconciler.model.forging import ForgeConfig, WebhookConfig
from reconciler.model.imaging import ImagesConfig
from reconciler.model.manifest import DriftMode
from reconciler.model.planner_config import PlannerConfig


class _Config(msgspec.Struct, frozen=True, rename="camel", omit_defaults=True, forbid_unknown_fields=True):
    pass


class GitLimits(_Config, frozen=True):
    """What a repository may cost. Exceeding one keeps the last good revision in force and prunes nothing."""

    blob_bytes: int = 4 * 1024 * 1024  # a larger file is skipped and named
    files: int = 50_000
    total_bytes: int = 512 * 1024 * 1024


class GitCredentials(_Config, frozen=True):
    """Secrets by file reference only."""

    username: str = "git"
    password_file: str | None = None  # https: the password or token
    ssh_key_file: str | None = None
    known_hosts_file: str | None = None
    ca_file: str | None = None


class PruneGuard(_Config, frozen=True):
    """Deletions of one pass above max(`count`, `percent` of the source's objects) are held until approved (rule 11)."""

    count: int = 5
    percent: int = 20


class DriftRule(_Config, frozen=True):
    """How drift of some objects is treated: those of files that match `paths`, and that match `objects` themselves.

    Both are globs in which `*` stands for anything, a slash too; one that is empty matches everything. Objects are
    written `Kind/namespace/name`, or `Kind/name` where there is no namespace.
    """

    mode: DriftMode
    paths: tuple[str, ...] = ()
    objects: tuple[str, ...] = ()


class MaintenanceWindow(_Config, frozen=True):
    """From each time that the cron `schedule` is due in `time_zone`, `duration` seconds long."""

    schedule: str
    duration: float
    time_zone: str = "UTC"


class SourceConfig(_Config, frozen=True):
    """One repository to watch. `ref` is a branch, a tag, 40 hexadecimal digits, or `semver:<range>` over tags."""

    name: str
    url: str
    ref: str = "main"
    paths: tuple[str, ...] = (".",)
    namespace: str = "default"  # for objects that state none
    interval: float = 60.0  # seconds between polls, jittered by 10 %
    timeout: float = 60.0  # seconds for one Git operation
    credentials: GitCredentials = GitCredentials()
    limits: GitLimits = GitLimits()
    guard: PruneGuard = PruneGuard()
    adopt: bool = False
    drift: DriftMode = DriftMode.HEAL
    drift_rules: tuple[DriftRule, ...] = ()  # the first that matches counts
    maintenance: tuple[MaintenanceWindow, ...] = ()  # while one is open, drift is neither healed nor told
    namespaces: tuple[str, ...] = ()  # watch and apply in these only; empty: the whole cluster
    priorities: tuple[str, ...] | None = None  # PriorityClasses that its pods may name; None: any
    suspend: bool = False


class StatusPage(_Config, frozen=True):
    """The page at the daemon's port. Without a token it is served to this machine only."""

    enabled: bool = True
    token_file: str | None = None


class DaemonConfig(_Config, frozen=True):
    """The whole file."""

    sources: tuple[SourceConfig, ...]
    install: str | None = None  # the install name; without it a uid is made and kept in the cluster
    state_namespace: str = "reconciler-system"
    cache_dir: str = "/var/cache/reconciler"
    listen: str = "0.0.0.0:8080"  # in a container the probes come from outside
    status_page: StatusPage = StatusPage()
    webhooks: tuple[WebhookConfig, ...] = ()
    forges: tuple[ForgeConfig, ...] = ()
    alerts: AlertsConfig = AlertsConfig()
    planner: PlannerConfig | None = None  # without it nothing is planned
    images: ImagesConfig = ImagesConfig()
    full_check: float = 3600.0  # seconds between two readings of everything that is watched, jittered by 10 %
    concurrency: int = 8  # writes in flight
    wait_timeout: float = 600.0  # seconds that a dependent waits for what it depends on
    kubeconfig: str | None = None
    context: str | None = None
