"""`python -m tempo_core.cli` is `tempo-core`."""

from . import main

if __name__ == "__main__":
    main()
