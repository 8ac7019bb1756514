"""How often people count at a tempo."""

from pathlib import Path

import numpy as np
import pytest

from trainer.inputs.counted import LEAST, Counted, Databases


def test_the_density_integrates_to_one_over_octaves() -> None:
    counted = Counted([70, 120, 121, 180])
    places = np.linspace(4, 9, 2001)
    total = sum(counted.density(float(2**place)) for place in places) * (places[1] - places[0])
    assert total == pytest.approx(1, abs=0.01)


def test_where_nobody_counts_the_density_is_small_but_not_zero() -> None:
    assert Counted([120.0]).density(37) == LEAST


def test_readings_are_weighed_by_how_people_count() -> None:
    counted = Counted([75.0] * 9 + [150.0])
    (first, weight), (second, rest) = counted.weigh(((150.0, 0.5), (75.0, 0.5)))
    assert (first, second) == (75.0, 150.0)
    assert weight == pytest.approx(0.9, abs=0.01)
    assert weight + rest == pytest.approx(1)
    # What the label itself says counts as well.
    assert counted.weigh(((150.0, 0.95), (75.0, 0.05)))[0][0] == 150.0


def test_what_people_decided_is_found_by_artist_and_title(tmp_path: Path) -> None:
    rows = [
        "artist\ttitle\tbpm\tsource",
        "Beyoncé\tHalo\t80\tharmonix",
        "Beyonce feat. Jay-Z\tHalo (Remastered)\t160\tfestival",
        "Others\tHalo\t120\tbillboard",
    ]
    (tmp_path / "human_tempi.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    databases = Databases(tmp_path)
    found = databases.look_up("BEYONCE", "halo")
    assert {(one.bpm, one.source) for one in found} == {(80.0, "harmonix"), (160.0, "festival")}
    assert databases.look_up("Beyoncé", "Hello") == []
    assert databases.look_up("Beyoncé", "") == []
