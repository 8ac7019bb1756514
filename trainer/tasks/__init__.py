"""What learning a task needs beside its row in `tempo_core.tasks`: a module for each."""
