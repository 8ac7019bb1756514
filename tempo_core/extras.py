"""Advice on which extra of the distribution installs a missing package."""

from __future__ import annotations

# Extras by the package that is imported; any other missing package is in `train`.
OF_PACKAGE = {
    "aiobotocore": "remote",
    "aiohttp": "remote",
    "botocore": "remote",
    "cryptography": "cluster",
    "dask": "cluster",
    "dask_jobqueue": "cluster",
    "distributed": "cluster",
    "fsspec": "remote",
    "mirdata": "datasets",
    "pyarrow": "cluster",
    "s3fs": "remote",
    "soundfile": "synthesis",
    "yarl": "remote",
}


def advice(error: ImportError) -> str:
    """Command that installs the package which could not be imported."""
    package = (error.name or "").partition(".")[0]
    return f"pip install 'beets-tempo[{OF_PACKAGE.get(package, 'train')}]'"
