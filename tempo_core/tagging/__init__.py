"""Changes of single tags in audio files that leave every other byte of the file as it is.

Each module reads as much of the structure of one kind of container as is needed, and returns
`Splice`s: ranges of bytes in the file with the bytes that replace them. The rest of the file is
copied. Where the structure of a file is inconsistent, `LayoutError` is raised, because writing to
such a file could damage it.
"""
