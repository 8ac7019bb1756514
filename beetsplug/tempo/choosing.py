"""The tracks that `beet tempo` has to work on, found with conditions in SQL.

The database evaluates the conditions because loading all tracks of a large library as objects takes
a lot of memory.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from beets import ui

from tempo_core.labels.record import LabelVerdict
from tempo_core.levels import COUNTED_ELSE, TOLERANCE
from tempo_core.tempi import FASTEST_TEMPO, SLOWEST_TEMPO

from .applying import hold, judged, set_pace_fields, settled
from .by_hand import restate
from .camelot_tags import CODE_MARKER
from .file_keys import KEY_SEEN
from .grids import BEATS_FIELDS
from .items import LOCKED, OCTAVE, REVIEWED
from .keeping import FAILURE, PENDING, atomically, fails_again, store, store_all
from .key_fields import CONFIDENCE, FOUND_KEY, settled_key
from .marking import KEY, TEMPO
from .origin import MANUAL, SAME_TEMPO, TAG, Decision
from .queries import HAS_BPM
from .selecting import BATCH_SIZE, Selection, ask, items_of
from .skipping import NotMusic
from .sound_queries import SOUND_TAGS
from .stated import STATED_FIELDS, stated_paces

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Sequence

    from beets.library import Item, Library


def _value(field: str) -> str:
    """SQL for the value of a flexible field of a track, NULL if it is not set or empty."""
    return (
        "(SELECT value FROM item_attributes "
        f"WHERE entity_id = items.id AND key = '{field}' AND value != '')"
    )


def _rounded(field: str) -> str:
    """SQL for the number at the start of a flexible field, rounded to a whole number, halves up."""
    return f"CAST(CAST({_value(field)} AS REAL) + 0.5 AS INTEGER)"


_UNSURE = f"ifnull({_value('tempo_verdict')}, '') = '{Decision.UNSURE.word}'"
# `origin.is_done` as a condition in SQL.
DONE = (
    f"{_value('tempo_source')} IS NOT NULL AND CAST({_value('tempo_bpm')} AS REAL) != 0 "
    f"AND ({HAS_BPM} OR {_UNSURE})"
)
# `items.locked_tempo` as a condition in SQL.
IS_LOCKED = (
    f"ifnull(CAST({_value(LOCKED)} AS REAL) BETWEEN {SLOWEST_TEMPO:g} AND {FASTEST_TEMPO:g}, 0)"
)
TO_ANALYSE = f"NOT ifnull({DONE}, 0) AND NOT {IS_LOCKED}"
_IS_KEY_MARKED = (
    f"ifnull({_value(KEY.marker)}, '') LIKE '% model:%' AND "
    f"substr({_value(KEY.marker)}, 1, length(items.initial_key) + 1) = items.initial_key || ' '"
)
# `items.has_key` and `key_fields.is_key_done` as conditions in SQL.
HAS_KEY = "ifnull(items.initial_key, '') GLOB '*[0-9A-Za-z]*'"
KEY_ASKED = f"{_value(CONFIDENCE)} IS NOT NULL"
KEY_DONE = (
    f"CASE WHEN {HAS_KEY} "
    f"THEN {KEY_ASKED} OR NOT ({_IS_KEY_MARKED}) "
    f"ELSE {KEY_ASKED} AND {_value(FOUND_KEY)} IS NULL END"
)
WITHOUT_KEY = f"NOT ({KEY_DONE})"
# `grids.has_beats` as a condition in SQL, and what is lacking of analysed tracks.
BEATS_KNOWN = "(" + " OR ".join(f"{_value(field)} IS NOT NULL" for field in BEATS_FIELDS) + ")"
WITHOUT_BEATS = f"{DONE} AND NOT {BEATS_KNOWN} AND NOT {IS_LOCKED}"
# Whether the words for the sound are known of a track; they may be none.
TAGS_KNOWN = (
    f"EXISTS (SELECT 1 FROM item_attributes WHERE entity_id = items.id AND key = '{SOUND_TAGS}')"
)
WITHOUT_TAGS = f"NOT {TAGS_KNOWN}"
# Tracks with tags that are still to be written. A track that lost its tempo is analysed first.
TO_FINISH = (
    f"{_value(PENDING)} IS NOT NULL AND ({HAS_BPM} OR {_value(PENDING)} LIKE '%key%' "
    f"OR {_value(PENDING)} LIKE '%{CODE_MARKER}%')"
)
# Analysed tracks whose key was not read from the file, or whose `initial_key` changed since.
UNREAD = (
    f"{DONE} AND ifnull({_value(KEY_SEEN)}, '') NOT LIKE "
    "ifnull(nullif(items.initial_key, ''), '-') || ' %'"
)
FAILED = f"{_value(FAILURE)} IS NOT NULL"
# Analysed tracks of which a task failed that has no field of its own to lack, such as the paces.
TO_RETRY = f"{FAILED} AND {DONE} AND {_value(PENDING)} IS NULL AND NOT {IS_LOCKED}"
# What `beet tempo --review` asks about, see also `is_doubtful`, and what it asked about before.
IN_CONFLICT = f"ifnull({_value('tempo_verdict')}, '') = '{Decision.CONFLICT.word}'"
IS_REVIEWED = f"{_value(REVIEWED)} IS NOT NULL"


def is_doubtful(sure: float) -> str:
    """SQL: a model set the tempo of a track, and its octave is at most this sure."""
    return (
        f"ifnull({_value('tempo_source')}, '') LIKE 'model:%' "
        f"AND CAST({_value(OCTAVE)} AS REAL) <= {sure:g}"
    )


# Tracks of which a person may have stated paces, and those of them that were analysed.
MAY_BE_STATED = (
    f"({_value(STATED_FIELDS[0])} IS NOT NULL OR {_value(STATED_FIELDS[1])} NOT LIKE '%:%')"
)
STATED = f"{MAY_BE_STATED} AND {DONE}"
# `origin.stated_tempo` is there, as a condition in SQL.
_IS_STATED = f"ifnull({_value(TEMPO.marker)}, '') LIKE '% {MANUAL}'"
# Between the precise tempo and that of the marker [BPM].
_DIFFERENCE = (
    f"ifnull(abs(CAST({_value('tempo_bpm')} AS REAL) - CAST({_value(TEMPO.marker)} AS REAL)), 999)"
)
# Tracks whose tempo an analysis set, for certain, so that `origin.is_ours`: nearly all of these.
# What Python may read in another way than SQL is not for certain.
_SURELY_OURS = (
    f"{_value('tempo_source')} GLOB 'model:*' AND items.bpm = {_rounded('tempo_bpm')} "
    f"AND {_value('tempo_bpm')} NOT GLOB '*[^0-9.]*' AND {_value('tempo_bpm')} NOT GLOB '*.*.*' "
    f"AND {_value('tempo_verdict')} = '{Decision.SET.word}' "
    f"AND ifnull({_value(TEMPO.marker)}, '') NOT GLOB '*{MANUAL}*' AND {_value(LOCKED)} IS NULL"
)
# Tracks whose `bpm` may be a label, see `collecting.item_labels`.
MAY_BE_LABEL = f"{HAS_BPM} AND NOT ifnull({_SURELY_OURS}, 0)"
# Tracks whose key somebody may have given, see `collecting.key_said`. Of a text of another form
# than these beets may make another one.
_IS_KEY_SURELY_OURS = (
    f"{_value(KEY.source)} GLOB 'model:*' AND items.initial_key = {_value(FOUND_KEY)} "
    "AND items.initial_key GLOB '[A-G]*' AND substr(items.initial_key, 2) IN ('', 'm', '#', '#m') "
    f"AND ifnull({_value(KEY.marker)}, '') NOT GLOB '*{MANUAL}*' "
    f"AND ifnull({_value(KEY.marker)}, '') NOT GLOB '*label:*'"
)
MAY_BE_KEYED = (
    f"({HAS_KEY} AND NOT ifnull({_IS_KEY_SURELY_OURS}, 0)) "
    f"OR {_value('tempo_label_verdict')} = '{LabelVerdict.AGREE.value}'"
)
# Tracks whose `tempo_source` may differ from their `origin`: few, which are checked in Python.
_DOUBTFUL = (
    f"{HAS_BPM} AND CASE "
    f"WHEN source.value = '{MANUAL}' THEN items.bpm = {_rounded(TEMPO.marker)} "
    f"AND NOT {_IS_STATED} "
    f"AND {_value('tempo_verdict')} IN ('{Decision.KEPT.word}', '{Decision.CONFLICT.word}') "
    "WHEN source.value LIKE 'model:%' THEN "
    f"ifnull(items.bpm != {_rounded('tempo_bpm')}, 1) OR {_UNSURE} OR {_IS_STATED} "
    f"WHEN source.value LIKE 'label:%' THEN ifnull(items.bpm != {_rounded('tempo_label_bpm')}, 1) "
    f"ELSE items.bpm = {_rounded(TEMPO.marker)} OR (items.bpm = {_rounded('tempo_bpm')} "
    f"AND {_value('tempo_verdict')} = '{Decision.SET.word}') END"
)
UNSETTLED = (
    "SELECT items.id FROM item_attributes AS source JOIN items ON items.id = source.entity_id "
    f"WHERE source.key = 'tempo_source' AND source.value != '' AND {_DOUBTFUL}"
)
# Locked tracks whose tempo something else changed.
UNHELD = (
    "SELECT items.id FROM item_attributes AS locked JOIN items ON items.id = locked.entity_id "
    f"WHERE locked.key = '{LOCKED}' AND (items.bpm != {_rounded(LOCKED)} "
    f"OR ifnull({_value('tempo_source')}, '') != '{MANUAL}' "
    f"OR ifnull(items.bpm = {_rounded(TEMPO.marker)} "
    f"AND ({_value(TEMPO.marker)} NOT LIKE '% {MANUAL}' OR {_DIFFERENCE} > {SAME_TEMPO}), 0) "
    f"OR ifnull(CAST({_value('tempo_bpm')} AS REAL), 0) != CAST(locked.value AS REAL))"
)
# Tracks that were set by hand and whose tempo a person changed elsewhere since.
RESTATED = (
    "SELECT items.id FROM item_attributes AS source JOIN items ON items.id = source.entity_id "
    f"WHERE source.key = 'tempo_source' AND source.value = '{MANUAL}' AND {HAS_BPM} "
    f"AND {_IS_STATED} AND ifnull({_value('tempo_verdict')}, '') "
    f"IN ('{Decision.SET.word}', '{Decision.KEPT.word}') "
    f"AND CASE WHEN items.bpm = {_rounded(TEMPO.marker)} THEN {_DIFFERENCE} > {SAME_TEMPO} "
    f"ELSE items.bpm != {_rounded('tempo_bpm')} END"
)
# Tracks whose `tempo_key_source` may differ from their `key_origin`, likewise.
UNSETTLED_KEYS = (
    "SELECT items.id FROM item_attributes AS source JOIN items ON items.id = source.entity_id "
    f"WHERE source.key = '{KEY.source}' AND source.value != '' "
    f"AND {HAS_KEY} AND CASE "
    f"WHEN source.value LIKE 'model:%' THEN items.initial_key != ifnull({_value(FOUND_KEY)}, '') "
    "WHEN source.value LIKE 'label:%' "
    f"THEN items.initial_key != ifnull({_value('tempo_label_key')}, '') "
    f"ELSE source.value != '{MANUAL}' AND {_IS_KEY_MARKED} END"
)
# Tracks with a tempo of another origin, which may have changed since `tempo_verdict` was set.
_AGREES = " OR ".join(
    f"abs({_value('tempo_bpm')} * {ratio} - items.bpm) <= {TOLERANCE} * items.bpm"
    for ratio in (1.0, *COUNTED_ELSE)
)
OUTDATED = (
    "SELECT items.id FROM item_attributes AS source JOIN items ON items.id = source.entity_id "
    f"WHERE source.key = 'tempo_source' AND source.value IN ('{TAG}', '{MANUAL}') AND {HAS_BPM} "
    f"AND CASE {_value('tempo_verdict')} WHEN '{Decision.KEPT.word}' THEN "
    f"abs({_value('tempo_bpm')} - items.bpm) > {TOLERANCE} * items.bpm "
    f"WHEN '{Decision.CONFLICT.word}' THEN {_AGREES} "
    # An estimate that a person confirmed, and changed since.
    f"WHEN '{Decision.SET.word}' THEN items.bpm != {_rounded('tempo_bpm')} END"
)
# Tracks analysed by a version of the plugin without `tempo_verdict`. If that analysis agreed with a
# tempo of another origin, `tempo_bpm` is close to it.
_WITHOUT_VERDICT = f"items WHERE {HAS_BPM} AND {DONE} AND {_value('tempo_verdict')} IS NULL"
_GIVE_VERDICT = (
    "INSERT INTO item_attributes (entity_id, key, value) SELECT items.id, 'tempo_verdict', CASE "
    f"WHEN {_value('tempo_source')} LIKE 'model:%' THEN '{Decision.SET.word}' "
    f"WHEN abs({_value('tempo_bpm')} - items.bpm) <= {TOLERANCE} * items.bpm "
    f"THEN '{Decision.KEPT.word}' ELSE '{Decision.CONFLICT.word}' END "
    f"FROM {_WITHOUT_VERDICT}"
)


def settle_keys(lib: Library) -> None:
    """Update `tempo_key_source` after changes made outside of the plugin."""
    _settle(lib, UNSETTLED_KEYS, settled_key)


def settle(lib: Library) -> None:
    """Update `tempo_source` and `tempo_verdict` after changes made outside of the plugin.

    The source of a tempo that a person corrected becomes `manual`, and a tempo of the plugin gets
    its source back if that was changed. A source that was removed stays removed, because that is
    how a person asks for a new analysis. If a person changed a tempo of their own, the verdict is
    determined again, and a tempo that was set by hand before follows. Locked tracks get their tempo
    back.
    """
    settle_keys(lib)
    _settle(lib, UNHELD, hold)
    _settle(lib, UNSETTLED, settled)
    _settle(lib, RESTATED, restate)
    _settle(lib, OUTDATED, judged, restate)
    if ask(lib, f"SELECT 1 FROM {_WITHOUT_VERDICT} LIMIT 1"):
        atomically(lib, lambda: lib._connection().execute(_GIVE_VERDICT))


def _settle(lib: Library, doubtful: str, *changes: Callable[[Item], bool]) -> None:
    """Apply changes, each of which says whether there was one, to the tracks that SQL selects."""
    ids = ask(lib, doubtful)
    for start in range(0, len(ids), BATCH_SIZE):
        items = list(items_of(lib, ids[start : start + BATCH_SIZE]))
        changed = [item for item in items if True in [change(item) for change in changes]]
        if changed:
            store_all(lib, changed)


@dataclass(frozen=True)
class Work:
    """The work for the tracks of a query.

    Attributes
    ----------
    analyse
        Ids of tracks to analyse, in the order of the query.
    finish
        Ids of tracks with tags that an interrupted run left unwritten.
    done
        Number of tracks that were analysed before.
    skipped
        Number of tracks left out because they failed before and have not changed.
    not_music
        Number of tracks left out because the setting `skip` says that they are not music.
    to_code
        Ids of the tracks whose Camelot code is compared with their key without an analysis.
    unread
        Ids of analysed tracks whose key was not read from the file yet.
    has_tempo, has_key, has_beats, has_tags
        Ids of those to analyse that have these already.
    """

    analyse: list[int]
    finish: list[int]
    done: int
    skipped: int
    not_music: int = 0
    to_code: list[int] = field(default_factory=list)
    unread: list[int] = field(default_factory=list)
    has_tempo: Container[int | None] = ()
    has_key: Container[int | None] = ()
    has_beats: Container[int | None] = ()
    has_tags: Container[int | None] = ()

    def tasks_of(self, id_: int | None, tasks: Sequence[str]) -> tuple[str, ...]:
        """Those of the tasks that are asked about a track: all, if it lacks none of them."""
        lacked = lacking(
            tasks,
            has_tempo=id_ in self.has_tempo,
            has_key=id_ in self.has_key,
            has_beats=id_ in self.has_beats,
            has_tags=id_ in self.has_tags,
        )
        return lacked or tuple(tasks)


def lacking(
    tasks: Sequence[str], *, has_tempo: bool, has_key: bool, has_beats: bool, has_tags: bool
) -> tuple[str, ...]:
    """Those of the tasks whose fields a track does not have.

    All but the key and the tags go with the tempo. The beats of a track are known for its tempo
    only.
    """
    has = {"key": has_key, "beats": has_tempo and has_beats, "tags": has_tags}
    return tuple(name for name in tasks if not has.get(name, has_tempo))


def choose(lib: Library, args: list[str], settings: Any) -> Work:
    """The work for the tracks that match a query; also updates the fields of stated paces.

    A locked track is never asked for its tempo, not even with `force`.
    """
    album = bool(settings.album)
    selection = Selection(lib, args, album=album, pretend=settings.pretend)
    with_tempo, with_key = "tempo" in settings.tasks, "key" in settings.tasks
    with_tags = "tags" in settings.tasks
    if with_tempo and not settings.pretend:
        # Paces that a person stated since the analysis take effect without a new analysis.
        for item in items_of(lib, selection.ids(STATED)):
            if stated_paces(item) is not None and set_pace_fields(item):
                store(item)
    not_music = NotMusic(settings.skip)
    if settings.force:
        every = selection.ids()
        # Who names tracks and says --force means just these.
        left_out = not_music.among(items_of(lib, every)) if not_music and not args else set()
        wanted = [id_ for id_ in every if id_ not in left_out]
        locked = frozenset(selection.ids(IS_LOCKED)) if with_tempo else frozenset()
        analyse = wanted if with_key or with_tags else [id_ for id_ in wanted if id_ not in locked]
        done = len(wanted) - len(analyse)
        return Work(analyse, [], done, 0, len(left_out), has_tempo=locked, has_beats=locked)
    with_beats = "beats" in settings.tasks
    conditions = [TO_ANALYSE] * with_tempo + [WITHOUT_KEY] * with_key
    conditions += [WITHOUT_BEATS] * with_beats + [WITHOUT_TAGS] * with_tags
    if settings.retry and with_tempo:
        conditions.append(TO_RETRY)
    analyse, total = selection.ids(" OR ".join(conditions)), selection.count()
    done = total - len(analyse)
    left_out = not_music.among(items_of(lib, analyse)) if not_music else set()
    analyse = [id_ for id_ in analyse if id_ not in left_out]
    can_differ = analyse and len(conditions) > 1
    has_tempo, has_key, has_beats, has_tags = (
        frozenset(analyse).intersection(selection.ids(condition)) if can_differ else ()
        for condition in (
            f"{DONE} OR {IS_LOCKED}",
            f"{KEY_DONE} AND ({DONE} OR {KEY_ASKED})",
            f"{BEATS_KNOWN} OR {IS_LOCKED}",
            TAGS_KNOWN,
        )
    )
    write = ui.should_write(settings.write)
    to_finish = selection.ids(TO_FINISH) if write else []
    unread = [] if settings.pretend else selection.ids(UNREAD)
    work = Work(
        analyse,
        to_finish,
        done,
        0,
        len(left_out),
        unread=[id_ for id_ in unread if id_ not in has_tempo],
        has_tempo=has_tempo,
        has_key=has_key,
        has_beats=has_beats,
        has_tags=has_tags,
    )
    if not settings.retry:
        work = _without_hopeless(lib, work, selection)
    if settings.camelot_in is None:
        return work
    analysed = set(work.analyse)
    return replace(work, to_code=[id_ for id_ in selection.ids() if id_ not in analysed])


def _without_hopeless(lib: Library, work: Work, selection: Selection) -> Work:
    """The work without the tracks that failed before and have not changed since."""
    hopeless = {item.id for item in items_of(lib, selection.ids(FAILED)) if fails_again(item)}
    return replace(
        work,
        analyse=[id_ for id_ in work.analyse if id_ not in hopeless],
        finish=[id_ for id_ in work.finish if id_ not in hopeless],
        skipped=len(hopeless.intersection(work.analyse)) + len(hopeless.intersection(work.finish)),
    )
