"""Experiments whose figures `docs/` tells, and designs that were tried beside the shipped ones.

A clone has them, the installed package does not.
"""
