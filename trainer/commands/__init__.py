"""What the trainer adds to `tempo-core`, one module a command; each loads next to nothing."""

EXTRA = "pip install 'beets-tempo[train]'"
