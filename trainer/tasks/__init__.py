"""What training a task needs in addition to `tempo_core.tasks`: one module for each task."""
