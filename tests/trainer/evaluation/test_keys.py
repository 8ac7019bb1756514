"""The scores of keys, against mir_eval and by hand."""

from __future__ import annotations

import mir_eval
import pytest

from tempo_core.keys import Key
from trainer.evaluation.keys import RELATIONS, key_score, measure_keys

KEYS = [Key(pitch_class, minor) for pitch_class in range(12) for minor in (False, True)]
C, G, A_MINOR, C_MINOR, F_SHARP = (
    Key(0, False),
    Key(7, False),
    Key(9, True),
    Key(0, True),
    Key(6, False),
)


def test_scores_by_hand() -> None:
    found = [key_score(C, other) for other in (C, G, A_MINOR, C_MINOR, F_SHARP, None)]
    assert found == [1.0, 0.5, 0.3, 0.2, 0.0, 0.0]


def test_every_pair_is_as_mir_eval_has_it() -> None:
    for reference in KEYS:
        for estimate in KEYS:
            names = (str(k).removesuffix("m") + (" minor" if k.minor else " major")
                     for k in (reference, estimate))  # fmt: skip
            assert key_score(reference, estimate) == mir_eval.key.weighted_score(*names)


def test_figures_of_a_set() -> None:
    metrics = measure_keys([C, C, C, C], [C, G, A_MINOR, None])
    assert metrics.n == 4
    assert metrics.weighted == pytest.approx((1 + 0.5 + 0.3) / 4)
    assert metrics.exact == 0.25
    assert metrics.relations == {"same": 1, "fifth": 1, "relative": 1, "parallel": 0, "other": 1}
    assert list(metrics.relations) == list(RELATIONS.values())
