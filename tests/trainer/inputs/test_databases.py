"""What people decided for songs."""

from pathlib import Path

from trainer.inputs.databases import Databases


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
