"""Experiments whose figures are in `docs/`, and designs that were tried but are not shipped.

They are in the repository, but not in the installed package.
"""
