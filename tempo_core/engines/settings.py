"""Settings of a cluster, in a YAML file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ConfigError

if TYPE_CHECKING:
    from distributed import Security

TLS_FILES = ("ca", "cert", "key")


@dataclass(frozen=True)
class ClusterSettings:
    """Settings of a cluster.

    Attributes
    ----------
    jobs, most_jobs
        Jobs of SLURM: always `jobs`, or as many from `jobs` to `most_jobs` as there is work for.
    slurm
        Options of a job, by their names in `dask_jobqueue.SLURMCluster`.
    tls
        Files with the certificate of the authority, and certificate and key of this process, for
        schedulers at `tls://`: `ca`, `cert`, `key`.
    dashboard
        Address of Dask's dashboard, such as `127.0.0.1:8787`; None for none.
    """

    jobs: int = 1
    most_jobs: int | None = None
    slurm: Mapping[str, Any] = field(default_factory=dict)
    tls: Mapping[str, str] = field(default_factory=dict)
    dashboard: str | None = None

    def security(self) -> Security | None:
        """The keys in `tls` as Dask wants them; None if there are none."""
        if not self.tls:
            return None
        from distributed import Security

        ca, cert, key = (self.tls[name] for name in TLS_FILES)
        return Security(
            tls_ca_file=ca, tls_client_cert=cert, tls_client_key=key, tls_worker_cert=cert,
            tls_worker_key=key, tls_scheduler_cert=cert, tls_scheduler_key=key,
            require_encryption=True,
        )  # fmt: skip


def read_settings(path: Path | None) -> ClusterSettings:
    """The settings in a YAML file, or those by default.

    Raises
    ------
    ConfigError
        If it cannot be read, or a setting is unknown or of the wrong kind.
    """
    if path is None:
        return ClusterSettings()
    import yaml

    from ..strict_yaml import StrictLoader

    try:
        with path.open("rb") as file:
            given = yaml.load(file, StrictLoader)
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror or error}") from error
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        told = " ".join(str(error).split())
        raise ConfigError(f"{path}: is no YAML file ({told})") from error
    if given is None:
        given = {}
    if not isinstance(given, dict):
        raise ConfigError(f"{path}: must be settings by name")
    settings = ClusterSettings(**{name: _checked(path, name, given[name]) for name in given})
    if settings.most_jobs is not None and settings.most_jobs < settings.jobs:
        raise ConfigError(f"{path}: most_jobs must be at least jobs, which are {settings.jobs}")
    return settings


def _checked(path: Path, name: Any, value: Any) -> Any:
    """A setting that is of the right kind."""
    wanted = {
        "jobs": (lambda v: _is_count(v), "a whole number from 1"),
        "most_jobs": (lambda v: _is_count(v), "a whole number from 1"),
        "slurm": (_has_names, "options of a job by name"),
        "tls": (
            lambda v: _has_names(v) and set(v) == set(TLS_FILES) and all(
                isinstance(text, str) for text in v.values()
            ),
            f"the files {', '.join(TLS_FILES)}",
        ),
        "dashboard": (lambda v: isinstance(v, str), "an address, such as 127.0.0.1:8787"),
    }  # fmt: skip
    if name not in wanted:
        raise ConfigError(f"{path}: no setting {name!r}; there are {', '.join(wanted)}")
    fits, told = wanted[name]
    if not fits(value):
        raise ConfigError(f"{path}: {name} must be {told}")
    return value


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _has_names(value: Any) -> bool:
    return isinstance(value, dict) and all(isinstance(name, str) for name in value)
