"""YAML of settings, read so that nothing in it is lost in silence."""

from __future__ import annotations

from typing import Any

import yaml

from .config import told

MERGE = "tag:yaml.org,2002:merge"


class RefusedKeyError(yaml.constructor.ConstructorError):
    """A key that `StrictLoader` does not take; `problem` says why, `problem_mark` where."""


class StrictLoader(yaml.SafeLoader):
    """The safe loader, which also refuses a key that is there twice, where the last one would win,
    and keys that are merged with `<<`: merged again and again, a few lines fill the memory.
    """

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode):
                continue
            if key.value in seen:
                raise _refused(f"the key {told(key.value)} is there twice", key)
            if key.tag == MERGE:
                raise _refused("keys cannot be merged", key)
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _refused(why: str, key: yaml.ScalarNode) -> RefusedKeyError:
    return RefusedKeyError(None, None, why, key.start_mark)
