"""The beats task: where the beats are at a known tempo, and which of them begin bars."""
