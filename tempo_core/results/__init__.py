"""Results of many tracks: rows, the files they are written to, and the journal of a run.

`Results` is a run's output: a row of each track, written as it comes, and kept in a journal beside
the file, from which a run that was stopped goes on.
"""
