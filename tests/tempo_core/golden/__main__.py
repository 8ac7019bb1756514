"""Record the estimates: `python -m tests.tempo_core.golden OUT.json [AUDIO FILES…]`."""

import sys
import tempfile
from pathlib import Path

from . import record, say, write_json

if __name__ == "__main__":
    out, *paths = map(Path, sys.argv[1:])
    if paths:
        write_json({"/".join(path.parts[-2:]): say(path, {}) for path in paths}, out)
    else:
        with tempfile.TemporaryDirectory() as folder:
            write_json(record(Path(folder)), out)
