"""The commands that `scale.py` measures."""

from __future__ import annotations

from dataclasses import dataclass

N_NEW = 20  # tracks without an analysis, see `library.N_NEW`
FORGET_NEW = (
    f"DELETE FROM item_attributes WHERE entity_id <= {N_NEW} AND key LIKE 'tempo%';"
    f"UPDATE items SET bpm = 0, initial_key = '' WHERE id <= {N_NEW}"
)
FORGET_LABELS = "UPDATE items SET bpm = 0 WHERE id % 100 = 11"


@dataclass(frozen=True)
class Case:
    """A command to measure.

    Attributes
    ----------
    args
        Its arguments, with blanks between; `RUN` is the folder of the library, `ALBUM` that of an
        album that is not in it.
    plain
        Measure it without the plugin as well.
    sql
        What is changed in the library before.
    moves
        It moves files or writes to them.
    answered
        It is run before, so that its own results are there.
    mixxx
        It needs a library of Mixxx.
    """

    args: str
    plain: bool = False
    sql: str = ""
    moves: bool = False
    answered: bool = False
    mixxx: bool = False


CASES = {
    "ls": Case("ls", plain=True),
    "ls bpm:120..121": Case("ls bpm:120..121", plain=True),
    "ls pace:170..174": Case("ls pace:170..174"),
    "ls -a pace:170..174": Case("ls -a pace:170..174"),
    "ls sound:rock": Case("ls sound:rock"),
    "ls sound:rock,0.9..": Case("ls sound:rock,0.9.."),
    "ls tempo_verdict:conflict": Case("ls tempo_verdict:conflict", plain=True),
    "ls -f $camelot": Case("ls -f $camelot", plain=True),
    "ls -f $camelot bpm:120..121": Case("ls -f $camelot bpm:120..121", plain=True),
    "tempo": Case("tempo"),
    "tempo -p": Case("tempo -p"),
    "tempo, 20 new": Case("tempo", sql=FORGET_NEW, moves=True),
    "tempo -p --tasks key": Case("tempo -p --tasks key"),
    "tempo --retry": Case("tempo --retry"),
    "tempo bpm:120..121": Case("tempo bpm:120..121"),
    "tempo tempo_source::^label:": Case("tempo tempo_source::^label:"),
    "tempo --cadence 170..174": Case("tempo --cadence 170..174"),
    "tempo --cadence 120..180": Case("tempo --cadence 120..180"),
    "tempo --cadence --m3u": Case("tempo --cadence 170..174 --m3u RUN/out.m3u"),
    "tempo --double -W": Case("tempo --double -W bpm:..110"),
    "tempo --lock -W": Case("tempo --lock -W bpm:120..121"),
    "tempo --unlock": Case("tempo --unlock bpm:120..121"),
    "tempo --review": Case("tempo --review"),
    "tempo-mix": Case("tempo-mix id:1"),
    "tempo-mix --sound": Case("tempo-mix --sound id:1"),
    "tempo-mix --crate": Case("tempo-mix --crate genres:House id:1"),
    "tempo-mix --path 20": Case("tempo-mix --path 20 id:1"),
    "tempo-mix --path 20, any first": Case("tempo-mix --path 20"),
    "tempo-mix --path 20 --sound": Case("tempo-mix --path 20 --sound id:1"),
    "tempo-mix --path 20 --sheet": Case("tempo-mix --path 20 --sheet RUN/out.html id:1"),
    "tempo-similar": Case("tempo-similar id:1"),
    "tempo-similar --bpm --key": Case("tempo-similar --bpm 120..122 --key id:1"),
    "tempo-similar, many seeds": Case("tempo-similar bpm:120..121"),
    "tempo-tags": Case("tempo-tags"),
    "tempo-tags -p": Case("tempo-tags -p"),
    "tempo-tags --suggest": Case("tempo-tags --suggest"),
    "tempo-tags --suggest --apply": Case("tempo-tags --suggest --apply -W"),
    "tempo-tags --check": Case("tempo-tags --check"),
    "tempo-tags --check --report": Case("tempo-tags --check --report RUN/report"),
    "tempo-labels": Case("tempo-labels"),
    "tempo-labels again": Case("tempo-labels", answered=True),
    "tempo-labels -p": Case("tempo-labels -p"),
    "tempo-labels --report": Case("tempo-labels --report RUN/labels.html"),
    "tempo-labels --export": Case("tempo-labels --export RUN/labels.tsv"),
    "tempo-labels --apply": Case("tempo-labels --apply -W", sql=FORGET_LABELS),
    **{
        f"tempo-export {form}": Case(f"tempo-export --format {form} -o RUN/out.{form}")
        for form in ("rekordbox", "traktor", "m3u8", "csv")
    },
    "tempo-export mixxx": Case("tempo-export --format mixxx -o RUN/mixxxdb.sqlite", mixxx=True),
    "tempo-labels --import": Case("tempo-labels --import RUN/../out.xml --source rekordbox -W"),
    "tempo-notes -p": Case("tempo-notes -p"),
    "tempo-eval, answers known": Case("tempo-eval --out RUN/eval", answered=True),
    **{
        f"tempo-train -p --task {task}": Case(f"tempo-train -p --task {task}")
        for task in ("tempo", "pace", "key", "tags")
    },
    "modify bpm:120..121": Case("modify -y -W -M bpm:120..121 comments=x", plain=True),
    "modify": Case("modify -y -W -M comments=x", plain=True),
    "rm bpm:120..121": Case("rm -f bpm:120..121", plain=True),
    "import of an album": Case("import -q ALBUM", plain=True, moves=True),
    "move -p": Case("move -p", plain=True),
    "write -p bpm:120..121": Case("write -p bpm:120..121", plain=True),
    "write -p": Case("write -p", plain=True),
    "update -p": Case("update -p", plain=True),
    "update -p, all files changed": Case("update -p", plain=True, sql="UPDATE items SET mtime = 1"),
    "move bpm:120..121": Case("move -d RUN/other bpm:120..121", plain=True, moves=True),
    "move": Case("move -d RUN/other", plain=True, moves=True),
}  # fmt: skip
