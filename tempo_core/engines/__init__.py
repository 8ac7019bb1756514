"""Engines: what applies the same work to many tracks, in threads here or on a cluster.

A `Work` says what is done with each track. `Threads` does it in this process, `Cluster` in the
processes of a Dask cluster; both yield each track with its result, or with the error, as it comes.
`open_engine` opens the one that a command line names.
"""

from __future__ import annotations

from .threads import Threads
from .work import Engine, Work, loaded

__all__ = ["Engine", "Threads", "Work", "loaded"]
