"""Loss of listening to parts of a track instead of all of it, on whole recordings of one's own.

For each recording the answers after every round of windows are compared with the answer to all of
it, for several rules of when to stop. The recordings need no labels: this measures what listening
to more would change, not what is right.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import bench

from tempo_core.levels import is_same

SUFFIXES = {".mp3", ".flac", ".ogg", ".opus", ".m4a", ".wav"}
SHORTEST_RECORDING = 90.0  # [s]; shorter files are left out
RULES = ((0.5, 6), (0.6, 10), (0.7, 10), (0.8, 10), (0.9, 10), (1.1, 6), (1.1, 10))
# A track that has the first stability by its parts should have the second by all of it.
STABLE_BY_PARTS, STABLE_BY_ALL = 0.97, 0.9


@dataclass(frozen=True)
class Answer:
    """Answer after `n_windows` windows; `seconds` is the processor time up to it."""

    n_windows: int
    bpm: float
    confidence: float
    stability: float | None
    agreed: bool  # whether the estimator would stop here, if any mass were enough
    seconds: float


def ask(path: Path) -> tuple[list[Answer], Answer] | None:
    """Answers after each round, and that to the whole recording; None if it is no music."""
    import time

    from threadpoolctl import threadpool_limits

    from tempo_core import AudioError, listening
    from tempo_core.asked import Asked
    from tempo_core.audio import AudioFile
    from tempo_core.loading import load_rows
    from tempo_core.tasks.tempo import decode

    threadpool_limits(1, user_api="blas")
    decode.AGREED_MASS = 0.0  # so that the rules of this script decide
    rows = load_rows(["tempo"], {})
    model = rows[0][1]
    sr = model.spectrum.sr

    def listen(n_windows: int | None) -> list[Answer]:
        answers: list[Answer] = []
        asked = Asked(rows, sr)
        n_heard = 0
        begin = time.process_time()

        def answer(agreed: bool) -> Answer:
            found: decode.Tempo = asked.results()["tempo"]
            seconds = time.process_time() - begin
            return Answer(n_heard, found.bpm, found.confidence, found.stability, agreed, seconds)

        with AudioFile(path) as file:
            for round_ in listening.rounds(file, sr, model.windows, n_windows):
                if round_.is_first:
                    asked, answers, n_heard = Asked(rows, sr, round_.duration), [], 0
                if not round_.music:
                    continue
                n_heard += len(round_.music)
                asked.hear(round_.music)
                if n_windows is not None:
                    answers.append(answer(asked.know_enough()))
            if n_windows is None and asked.has_heard:
                answers.append(answer(True))
        return answers

    try:
        rounds, whole = listen(10), listen(None)
    except AudioError:
        return None
    return (rounds, whole[0]) if rounds and whole else None


def stop(rounds: Sequence[Answer], mass: float, n_windows: int) -> Answer:
    """Answer by a rule: stop when all windows agree with a confidence, or after so many windows."""
    for answer in rounds:
        if answer.n_windows >= n_windows or (answer.agreed and answer.confidence >= mass):
            return answer
    return rounds[-1]


def lines(found: Sequence[tuple[list[Answer], Answer]]) -> Iterable[str]:
    """Lines of a Markdown table, with a row for each rule."""
    yield "| stop at | windows at most | windows heard | processor time | same tempo as all of it |"
    yield "|---:|---:|---:|---:|---:|"
    for mass, n_windows in RULES:
        answers = [(stop(rounds, mass, n_windows), whole) for rounds, whole in found]
        n_same = sum(is_same(a.bpm, whole.bpm) for a, whole in answers)
        heard = sum(a.n_windows for a, _ in answers) / len(answers)
        share = sum(a.seconds for a, _ in answers) / sum(whole.seconds for _, whole in answers)
        yield (
            f"| {mass if mass <= 1 else 'never'} | {n_windows} | {heard:.2f} | {100 * share:.0f} % "
            f"| {100 * n_same / len(answers):.1f} % |"
        )
    said = [
        (a, whole)
        for a, whole in ((stop(rounds, 0.8, 10), whole) for rounds, whole in found)
        if a.stability is not None
        and a.stability >= STABLE_BY_PARTS
        and whole.stability is not None
    ]
    n_true = sum((whole.stability or 0) >= STABLE_BY_ALL for _, whole in said)
    yield ""
    yield (
        f"Said to be stable ({STABLE_BY_PARTS} or more): {len(said)} of {len(found)}; of these "
        f"{n_true} ({100 * n_true / max(1, len(said)):.1f} %) are at {STABLE_BY_ALL} or more when "
        "all is heard."
    )


def main() -> None:
    """Run the benchmark and print its report."""
    parser = bench.arguments(__doc__)
    parser.add_argument("folders", nargs="+", type=Path, help="of whole recordings")
    parser.add_argument("--most", type=int, default=14, help="of one folder (default: %(default)s)")
    options = parser.parse_args()
    from tempo_core import AudioError
    from tempo_core.audio import AudioFile

    files = []
    for folder in options.folders:
        chosen = []
        for path in sorted(p for p in folder.rglob("*") if p.suffix.lower() in SUFFIXES):
            try:
                with AudioFile(path) as file:
                    if (file.duration or 0) >= SHORTEST_RECORDING:
                        chosen.append(path)
            except AudioError:
                continue
        files += chosen[:: max(1, -(-len(chosen) // options.most))]
    with ProcessPoolExecutor(mp_context=multiprocessing.get_context("spawn")) as pool:
        found = [answers for answers in pool.map(ask, files, chunksize=4) if answers]
    bench.report(f"Listening to parts of {len(found)} recordings", lines(found))


if __name__ == "__main__":
    main()
