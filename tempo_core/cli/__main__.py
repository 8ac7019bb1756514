"""Entry point of `python -m tempo_core.cli`, which runs `tempo-core`."""

from . import main

if __name__ == "__main__":
    main()
