"""Changes of single tags in media files that leave every other byte as it is.

Each module reads the structure of one kind of container, as far as needed, and returns `Splice`s:
stretches of bytes and what replaces them. All other bytes are copied. A file whose structure is
damaged or ambiguous is refused with a `LayoutError`.
"""
