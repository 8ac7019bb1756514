"""What benchmarks say of the code, which nobody notices when the code changes."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def _mutations() -> list[tuple[str, str, str]]:
    """Promise, file and the line to break, of all in `benchmarks/mutations.py`."""
    tree = ast.parse((ROOT / "benchmarks/mutations.py").read_text(encoding="utf-8"))
    calls = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "Mutation"
    ]
    return [tuple(ast.literal_eval(value) for value in call.args[:3]) for call in calls]


MUTATIONS = _mutations()


def test_there_are_mutations() -> None:
    assert len(MUTATIONS) >= 20


@pytest.mark.parametrize(("promise", "path", "before"), MUTATIONS, ids=lambda value: value[:40])
def test_the_line_of_a_mutation_is_there_once(promise: str, path: str, before: str) -> None:
    assert (ROOT / path).read_text(encoding="utf-8").count(before) == 1
