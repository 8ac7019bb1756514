"""Tests of learning tags, from embeddings that are known and from audio."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from numpy.typing import NDArray

from tempo_core import Estimator, checkpoint, in_use, methods
from tempo_core.background import Stopped
from tempo_core.cli import main as cli
from tempo_core.embeddings import Embeddings
from tempo_core.errors import ConfigError, LabelError
from tempo_core.sound_tags import Tag
from tempo_core.tasks.tags.decode import embedding_name, tag_probabilities, tags_of
from tests.rows import mostly_slow
from trainer.learning.job import Job, told_stopped
from trainer.learning.labels import STORE, TagLabels, TagTrack, read_tag_labels
from trainer.learning.learn import Learned, learn_from
from trainer.learning.options import LearnOptions
from trainer.learning.tags import learn
from trainer.trainingset import memory
from trainer.trainingset.tables import CollectedTrack

from .test_tag_cleaning import ODD_NAMES

SHIPPED = checkpoint.load(checkpoint.resolve("shipped", "tags"), "tags")
N_DIMS = SHIPPED.config.model.n_dims
OPTIONS = LearnOptions("tags", jobs=2, quiet=True, field="mood", min_tracks=10)
NAMES = ("calm", "wild", "odd")


def toy(
    names: Sequence[str] = NAMES,
    n: int = 150,
    n_artists: int = 40,
    seed: int = 0,
    sound: float = 4.0,
    folder: Path = Path("/nowhere"),
) -> TagLabels:
    """Tracks that sound as the one tag that each has, but for noise; each artist has several.

    Parameters
    ----------
    sound
        How far the sounds of the tags lie apart, in standard deviations of the noise.
    """
    rng = np.random.default_rng(seed)
    places = np.random.default_rng(99).standard_normal((len(names), N_DIMS)) / np.sqrt(N_DIMS)
    which = rng.integers(0, len(names), n)
    embeddings = rng.standard_normal((n, N_DIMS)) + sound * places[which]
    tracks = [
        TagTrack(
            CollectedTrack(folder / f"{seed} {k}.mp3", 0.0, "t", f"Band {seed} {k % n_artists}"),
            frozenset([names[own]]),
        )
        for k, own in enumerate(which)
    ]
    return with_sounds(tracks, embeddings, folder)


def with_sounds(tracks: Sequence[TagTrack], embeddings: NDArray, folder: Path) -> TagLabels:
    known = {t.path: e.astype(np.float16) for t, e in zip(tracks, embeddings, strict=True)}
    return TagLabels(tracks, folder, known=known)


def relabelled(labels: TagLabels, names: Sequence[Sequence[str]]) -> TagLabels:
    tracks = [replace(t, names=frozenset(own)) for t, own in zip(labels.tracks, names, strict=True)]
    return replace(labels, tracks=tracks)


def matrix(labels: TagLabels) -> NDArray[np.float16]:
    return np.stack([labels.known[track.path] for track in labels.tracks])


def tags_in(learned: Learned) -> list[str]:
    """The tags of a learned model that are not of the package."""
    config = checkpoint.load(learned.path, "tags").config
    return [str(tag) for tag in tags_of(config) if tag.field]


def train(*args: object) -> Result:
    return CliRunner().invoke(cli, ["train", "--task", "tags", "--jobs", "2", *map(str, args)])


def test_tags_are_learned_used_and_taken_back() -> None:
    learned = learn_from(toy(), OPTIONS)
    assert learned.installed
    lines = learned.summary()
    assert lines[0].startswith("learned (tags) from the mood of 150 tracks by 40 artists: tags-")
    assert lines[1].startswith("3 tags, each track by a model that did not learn from its artist")
    assert "with other tracks of their artists learned from it would seem" in "\n".join(lines)
    assert lines[-1].startswith("installed: it has learned ")
    assert set(tags_in(learned)) == {"mood:calm", "mood:wild", "mood:odd"}
    model = checkpoint.load(checkpoint.resolve("default", "tags"), "tags")
    assert model.source == checkpoint.load(learned.path).source
    assert embedding_name(model) == embedding_name(SHIPPED)
    assert model.config.tags[: len(SHIPPED.config.tags)] == SHIPPED.config.tags
    card = model.card
    assert card["fields"]["mood"]["tags"]["calm"]["auc_roc"] > 0.8
    assert json.loads(json.dumps(card)) == card
    known = memory.of_card(card)
    assert known is not None
    assert known.knows(Path("/nowhere/0 0.mp3"))
    assert f"* {learned.path.stem}" in CliRunner().invoke(cli, ["models"]).stdout
    run = CliRunner().invoke(cli, ["models", "rollback", "--task", "tags"])
    assert run.exit_code == 0, run.output
    assert in_use.active("tags") is None


def test_the_words_of_the_package_stay_as_they_were() -> None:
    learned = learn_from(toy(), OPTIONS)
    model, n = checkpoint.load(learned.path, "tags"), len(SHIPPED.config.tags)
    embeddings = matrix(toy(seed=1))
    np.testing.assert_allclose(
        tag_probabilities(embeddings, model)[:, :n],
        tag_probabilities(embeddings, SHIPPED),
        rtol=1e-4,
    )


def test_probabilities_of_other_artists_are_calibrated() -> None:
    learned = learn_from(toy(n=400, n_artists=100, sound=2.0), OPTIONS)
    model = checkpoint.load(learned.path, "tags")
    others = toy(n=3000, n_artists=300, seed=1, sound=2.0)
    found = dict(zip(tags_of(model.config), tag_probabilities(matrix(others), model).T,
                     strict=True))  # fmt: skip
    for name in NAMES:
        has = np.array([name in track.names for track in others.tracks], float)
        likely = found[Tag("mood", name)]
        order = np.argsort(likely)
        for part in np.array_split(order, 5):
            assert abs(likely[part].mean() - has[part].mean()) < 0.1
        assert abs(likely.mean() - has.mean()) < 0.05


def test_a_run_replaces_the_tags_of_its_field_and_keeps_the_others() -> None:
    learn_from(toy(), OPTIONS)
    more = learn_from(toy(("rock", "jazz"), seed=1), replace(OPTIONS, field="genres"))
    assert {*tags_in(more)} == {"mood:calm", "mood:wild", "mood:odd", "genres:rock", "genres:jazz"}
    fields = checkpoint.load(more.path).card["fields"]
    assert set(fields) == {"mood", "genres"}
    again = learn_from(toy(("soft", "loud"), seed=2), OPTIONS)
    assert {*tags_in(again)} == {"mood:soft", "mood:loud", "genres:rock", "genres:jazz"}
    assert "it has learned " in again.proposal.reason
    assert "left out " in again.proposal.reason
    before, after = (checkpoint.load(one.path, "tags") for one in (more, again))
    rows = [
        (tag_probabilities(matrix(toy()), m)[:, m.config.tags.index("genres:rock")])
        for m in (before, after)
    ]
    np.testing.assert_allclose(*rows, rtol=1e-4)


def test_the_same_labels_again_are_no_better_and_corrected_ones_are() -> None:
    right = toy(n=200)
    rng = np.random.default_rng(0)
    spoilt = [[NAMES[int(rng.integers(3))]] if rng.random() < 0.4 else t.names
              for t in right.tracks]  # fmt: skip
    first = learn_from(relabelled(right, [list(names) for names in spoilt]), OPTIONS)
    assert first.installed
    again = learn_from(relabelled(right, [list(names) for names in spoilt]), OPTIONS)
    assert not again.installed
    assert again.proposal.reason == "it is no better than the current model on your own tracks"
    better = learn_from(right, OPTIONS)
    assert better.installed
    assert (
        better.proposal.reason == "its tags are found better than those of the current model were"
    )


def test_models_are_compared_on_tracks_that_the_one_in_use_has_not_learned_from() -> None:
    few, more = toy(n=90, n_artists=30, sound=2), toy(n=300, n_artists=80, seed=1, sound=2)
    assert learn_from(few, OPTIONS).installed
    both = TagLabels([*few.tracks, *more.tracks], few.folder, known={**few.known, **more.known})
    learned = learn_from(both, OPTIONS)
    (line,) = [line for line in learned.summary() if "the current model has too" in line]
    assert "of 300 tracks that it did not learn from: 0." in line
    assert learned.installed
    assert "it is better on your own tracks (probability" in learned.proposal.reason
    worse = learn_from(toy(n=90, n_artists=30, seed=2, sound=2), OPTIONS)
    assert not worse.installed


def test_labels_that_only_say_who_plays_are_refused() -> None:
    """Each artist has a sound, and a tag that has nothing to do with it."""
    rng = np.random.default_rng(3)
    sounds, of_artist = rng.standard_normal((40, N_DIMS)), rng.integers(0, 2, 40)
    tracks = [
        TagTrack(CollectedTrack(Path(f"/{k}.mp3"), 0.0, "t", f"Band {k % 40}"),
                 frozenset([("x", "y")[of_artist[k % 40]]]))
        for k in range(240)
    ]  # fmt: skip
    embeddings = np.stack([sounds[k % 40] for k in range(240)])
    embeddings = embeddings + 0.1 * rng.standard_normal(embeddings.shape)
    with pytest.raises(LabelError, match="not surely better than guessing") as error:
        learn_from(with_sounds(tracks, embeddings, Path("/")), OPTIONS)
    assert "\n" not in str(error.value)
    assert in_use.active("tags") is None


def test_a_tag_that_is_guessed_is_left_out_alone() -> None:
    labels, rng = toy(), np.random.default_rng(0)
    mixed = relabelled(
        labels, [[*t.names, *(["lucky"] if rng.random() < 0.3 else [])] for t in labels.tracks]
    )
    learned = learn_from(mixed, OPTIONS)
    assert set(tags_in(learned)) == {"mood:calm", "mood:wild", "mood:odd"}
    (line,) = [line for line in learned.summary() if "not surely better than guessing" in line]
    assert "lucky (" in line
    assert "calm" not in line


def test_shuffled_labels_are_refused() -> None:
    labels = toy()
    order = np.random.default_rng(0).permutation(len(labels))
    shuffled = relabelled(labels, [list(labels.tracks[k].names) for k in order])
    with pytest.raises(LabelError, match="no tag of mood can be learned"):
        learn_from(shuffled, OPTIONS)


def test_tracks_that_are_all_alike_are_refused() -> None:
    labels = toy()
    alike = with_sounds(labels.tracks, np.ones((len(labels), N_DIMS)), labels.folder)
    with pytest.raises(LabelError, match=r"AUC 0\.50"):
        learn_from(alike, OPTIONS)


@pytest.mark.parametrize("n", [0, 1, 9])
def test_too_few_labels_are_refused_before_anything_is_heard(
    n: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("trainer.learning.tags.hear_tracks", lambda *args: pytest.fail("listened"))
    labels = toy(n=n)
    with pytest.raises(
        LabelError, match=f"{n} tracks? with mood, and no tag .* at least 10 tracks"
    ):
        learn_from(labels, OPTIONS)


def test_tags_of_one_artist_each_are_refused() -> None:
    labels = toy(n_artists=4)
    own = relabelled(labels, [[f"of {t.described.artist}"] for t in labels.tracks])
    with pytest.raises(LabelError, match="at least 10 tracks by 5 artists are needed"):
        learn_from(own, OPTIONS)


@pytest.mark.slow
def test_of_ten_thousand_tags_those_of_enough_tracks_are_learned() -> None:
    labels = toy()
    many = relabelled(
        labels,
        [[*t.names, *(f"tag {k} {j}" for j in range(67))] for k, t in enumerate(labels.tracks)],
    )
    learned = learn_from(many, OPTIONS)
    assert len(tags_in(learned)) == 3
    assert max(map(len, learned.summary())) < 500


@mostly_slow("name", ODD_NAMES, quick=3)
def test_a_tag_of_any_name_is_learned_and_read_again(name: str) -> None:
    learned = learn_from(toy((name, "other")), OPTIONS)
    assert len(tags_in(learned)) == 2
    model = checkpoint.load(learned.path, "tags")
    assert all(tag.word for tag in tags_of(model.config))


def test_the_same_seed_learns_the_same(tmp_path: Path) -> None:
    weights = [
        checkpoint.load(
            learn_from(
                toy(), replace(OPTIONS, seed=seed, install=False, out=tmp_path / str(k))
            ).path
        ).network.weights["tags.weight"]
        for k, seed in enumerate((3, 3))
    ]
    np.testing.assert_array_equal(*weights)


def test_the_test_split_is_not_learned_from(tmp_path: Path) -> None:
    labels = toy()
    held = [
        replace(t, described=replace(t.described, split="test")) if k < 60 else t
        for k, t in enumerate(labels.tracks)
    ]
    learned = learn_from(replace(labels, tracks=held), OPTIONS)
    assert learned.summary()[0].startswith("learned (tags) from the mood of 90 tracks")
    known = memory.of_card(checkpoint.load(learned.path).card)
    assert known is not None
    assert not known.knows(held[0].path)
    assert known.knows(held[70].path)


def test_every_question_can_be_the_last() -> None:
    n_asked, last = 0, 10**9

    def stop() -> bool:
        nonlocal n_asked
        n_asked += 1
        return n_asked > last

    learn(toy(), Job(methods.of_task("tags")[0], OPTIONS, stop))
    n = n_asked
    for k in (0, n // 2, n - 1):
        n_asked, last = 0, k
        with pytest.raises(Stopped):
            learn_from(toy(), OPTIONS, stop)
        assert not in_use.folder().exists()


def test_what_is_not_known_is_heard_and_kept(
    clicks: list[tuple[Path, float]], tmp_path: Path
) -> None:
    """Two files are listened to, one is gone; the others are known, one from the store."""
    labels, store = toy(folder=tmp_path), tmp_path / STORE
    paths = [clicks[k][0] for k in range(3)] + [tmp_path / "gone.wav"]
    files = [
        replace(t, described=replace(t.described, path=path))
        for t, path in zip(labels.tracks, paths, strict=False)
    ]
    kept = matrix(labels)[2]
    with Embeddings(store, embedding_name(SHIPPED)) as embeddings:
        embeddings.put(paths[2], kept)
    learned = learn_from(
        replace(labels, tracks=[*files, *labels.tracks[4:]], sounds=store), OPTIONS
    )
    assert [path for path, _ in learned.failed] == [paths[3]]
    assert learned.summary()[0].startswith("learned (tags) from the mood of 149 tracks")
    with Embeddings(store, embedding_name(SHIPPED)) as embeddings:
        np.testing.assert_array_equal(embeddings.of(paths)[paths[2]], kept)
        heard = embeddings.of(paths)[paths[0]]
    answer = Estimator(tasks=["tags"]).results(paths[0])["tags"]
    np.testing.assert_array_equal(heard, answer.embedding)
    assert {str(tag) for tag in answer.tags} >= {"mood:calm", "mood:wild", "mood:odd"}


@pytest.mark.parametrize("has_store", [True, False])
def test_what_is_said_of_an_interrupted_run_is_so(
    has_store: bool, clicks: list[tuple[Path, float]], tmp_path: Path
) -> None:
    """What was listened to is kept, unless there is nowhere to keep it."""
    labels, store, path = toy(folder=tmp_path), tmp_path / STORE, clicks[0][0]
    first = labels.tracks[0]
    new = replace(first, described=replace(first.described, path=path))
    labels = replace(labels, tracks=[new, *labels.tracks[1:]], sounds=store if has_store else None)
    n_asked = 0

    def known() -> bool:
        with Embeddings(store, embedding_name(SHIPPED)) as embeddings:
            return path in embeddings.of([path])

    def learning() -> bool:
        """Ctrl-C while tags are learned, soon after the file was listened to."""
        nonlocal n_asked
        n_asked += not has_store or known()
        return n_asked > 3

    told = "what was listened to is kept, run the same again to go on" if has_store else "anew"
    with pytest.raises(Stopped, match=told):
        learn(labels, Job(methods.of_task("tags")[0], OPTIONS, learning))
    assert known() is has_store
    assert not in_use.folder().exists()


def test_a_run_that_does_not_end_by_itself_is_told_by_its_task() -> None:
    abandoned = Stopped("interrupted")
    assert told_stopped(abandoned, "tags").endswith("is kept, run the same again to go on")
    assert told_stopped(abandoned, "key").endswith("run the same again to begin anew")
    assert told_stopped(abandoned, "tempo") == "interrupted"
    assert told_stopped(Stopped("as it says"), "tags") == "as it says"


def test_a_store_that_cannot_be_used_is_one_line(tmp_path: Path) -> None:
    (tmp_path / STORE).mkdir()
    learned = learn_from(replace(toy(), sounds=tmp_path / STORE), OPTIONS)
    assert [line for line in learned.summary() if "sound like is not kept" in line]


def test_tags_are_read_from_a_table(tmp_path: Path) -> None:
    table = tmp_path / "t.tsv"
    table.write_text(
        "path\ttags\tartist\tsplit\n"
        "a.wav\tRock; Hard Rock;\tA\ttest\nb.wav\t ; \tB\t\nc.wav\tx\tC\t\nc.wav\ty\tC\t\n\tz\t\t\n"
    )
    labels = read_tag_labels(table)
    assert [(t.path.name, t.names) for t in labels.tracks] == [
        ("a.wav", {"Rock", "Hard Rock"}), ("c.wav", {"x", "y"}),
    ]  # fmt: skip
    assert labels.tracks[0].described.artist == "A"
    assert labels.tracks[0].described.split == "test"
    assert labels.sounds == tmp_path / STORE
    table.write_text("path\tgenre\na.wav\tx\n")
    with pytest.raises(ConfigError, match="no column tags; give a table with the columns path and"):
        read_tag_labels(table)


def test_the_command_learns_from_a_table(clicks: list[tuple[Path, float]], tmp_path: Path) -> None:
    """Forty files whose sounds are in the store beside the table."""
    labels = toy(("Slow", "Fast"), n=40, n_artists=20, sound=4)
    table = tmp_path / "t.tsv"
    rows = ["path\ttags\tartist"]
    with Embeddings(tmp_path / STORE, embedding_name(SHIPPED)) as store:
        for (path, _), track in zip(clicks, labels.tracks, strict=True):
            store.put(path, labels.known[track.path])
            rows.append(f"{path}\t{';'.join(track.names)}\t{track.described.artist}")
    table.write_text("\n".join(rows) + "\n")
    run = train(table, "--field", "pace", "--min-tracks", "10")
    assert run.exit_code == 0, run.output
    assert run.stdout.startswith("learned (tags) from the pace of 40 tracks by 20 artists: tags-")
    path = in_use.active("tags")
    assert path is not None
    assert {"pace:Slow", "pace:Fast"} < set(checkpoint.load(path).config.tags)
    run = train(table, "--min-tracks", "30")
    assert run.exit_code == 1
    assert run.stderr.count("\n") == 1
    assert "at least 30 tracks by 5 artists" in run.stderr


@pytest.mark.parametrize("field", ["", "a:b", "1", "x" * 40, "a b"])
def test_a_field_that_is_none(field: str) -> None:
    with pytest.raises(ConfigError, match="is no name of a field"):
        learn_from(toy(), replace(OPTIONS, field=field))


def test_options_of_tags_are_for_tags(tmp_path: Path) -> None:
    run = CliRunner().invoke(cli, ["train", "--field", "mood", "--min-tracks", "3", str(tmp_path)])
    assert run.exit_code == 2
    assert "--field, --min-tracks: not for --task tempo" in run.stderr


def test_what_other_fields_were_learned_from_stays_known() -> None:
    learn_from(toy(), OPTIONS)
    second = learn_from(toy(seed=1), replace(OPTIONS, field="grouping"))
    known = memory.of_card(checkpoint.load(second.path).card)
    assert known is not None
    assert known.knows(Path("/nowhere/0 0.mp3"))
    assert known.knows(Path("/nowhere/1 0.mp3"))
    assert not known.knows(Path("/nowhere/2 0.mp3"))
