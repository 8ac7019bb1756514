"""Files for the programs of DJs: a module a format, which writes it and reads it.

Nothing here knows of beets, and nothing imports NumPy. A format is a row of the table in
`formats.py`; what is common to all is in `track.py`.
"""
