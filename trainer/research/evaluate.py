"""`tempo-core evaluate` for models of all designs: `python -m trainer.research.evaluate`."""

from __future__ import annotations

from collections.abc import Sequence

from ..commands.evaluate import evaluate
from ..evaluation import baselines
from .reference.estimator import open_reference
from .reference.networks import REFERENCES


def main(args: Sequence[str] | None = None) -> None:
    """Run the command and end the process; `args` None means the arguments of the process."""
    baselines.OTHER_DESIGNS.update(dict.fromkeys(REFERENCES, open_reference))
    evaluate(args)


if __name__ == "__main__":
    main()
