"""Audio at addresses: in buckets of S3, on web sites, in ZIP archives; read by ranges.

Nothing but the storages in a file of settings (`--storages`) is ever asked. `active` is a context
in which everything that opens audio takes addresses as well; without it none of this is imported.
"""

from .opened import active
from .settings import Storages
from .settings_file import read_storages

__all__ = ["Storages", "active", "read_storages"]
