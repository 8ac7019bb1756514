"""Changing one tag of a file and not a byte else: where containers keep tags, and how they are put.

Each module reads the structure of one kind of container, no more of it than is needed, and answers
with `Splice`s: which bytes of the file are to be replaced by which. What no splice names is copied.
A structure that does not add up is a `LayoutError`: such a file is better left alone.
"""
