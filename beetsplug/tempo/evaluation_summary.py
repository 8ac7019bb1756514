"""Lines at the end of `beet tempo-eval`: accuracy, stated paces, labels that disagree."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tempo_core.console import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trainer.evaluation.answers import Answer
    from trainer.evaluation.figures import EvaluationFigures

N_PRINTED = 10  # disagreements on the terminal; a table has all of them


def pace_lines(answers: Sequence[Answer]) -> list[str]:
    """Lines on the accuracy for stated paces; no lines if no track has stated paces.

    The last line says how many of the tracks the pace model learned from, if any.

    Raises
    ------
    CheckpointError
        If the pace model in use cannot be read.
    """
    from tempo_core import checkpoint
    from trainer.evaluation import text_tables
    from trainer.trainingset import memory

    lines = text_tables.told_paces(answers)
    card = checkpoint.read(checkpoint.resolve("default", "pace")).header["card"]
    known = memory.of_card(card) or memory.NO_MEMORY
    n_known = len({a.path for a in answers if a.paces and known.knows(a.path)})
    if lines and n_known:
        lines.append(f"The pace model learned from {n_known} of these tracks.")
    return lines


def figure_lines(figures: Mapping[str, EvaluationFigures]) -> list[str]:
    """The main figures of an evaluation, one line for each estimator and set of tracks.

    Parameters
    ----------
    figures
        Figures by the names of the estimators.
    """
    lines = []
    for name, figures_of_one in figures.items():
        for set_, m in {"all": figures_of_one.all, **figures_of_one.sets}.items():
            low, high = m.acc1_interval
            median = m.error_percentiles["50"]
            lines.append(
                f"{name}, {set_}: {100 * m.acc1:.1f} % of {m.n} right (95 % interval "
                f"{100 * low:.0f} to {100 * high:.0f}), {100 * m.acc2:.1f} % up to the octave"
                f"; {100 * m.within_8_percent_of_all:.1f} % within 8 %, "
                f"{100 * m.within_10_bpm_of_all:.1f} % within 10 BPM"
                + (f", half within {median:.2f} BPM" if m.n_failed < m.n else "")
            )
    return lines


def disagreement_lines(answers: Sequence[Answer], table: Path) -> list[str]:
    """Lines on tracks whose label and estimate are different tempi, the most suspicious first.

    Parameters
    ----------
    answers
        Answers of one estimator.
    table
        File with a table of all these tracks.
    """
    from trainer.evaluation.figures import worst

    wrong = worst(answers)
    if all(answer.estimate is None for answer in answers):
        return []
    if not wrong:
        return ["no label disagrees with the analysis"]
    one = len(wrong) == 1
    told = "1 label disagrees" if one else f"{len(wrong)} labels disagree"
    lines = [f"{told} with the analysis; {'it is' if one else 'all of them are'} in {table}"]
    for answer in wrong[:N_PRINTED]:
        sure = "" if answer.confidence is None else f", confidence {answer.confidence:.2f}"
        lines += [
            f"  {answer.name or answer.path.name}: label {answer.bpm:g}, "
            f"analysed as {answer.estimate:g} ({answer.ratio:.2f} of it{sure})",
            f"    {shown(answer.path)}",
        ]
    if len(wrong) > N_PRINTED:
        lines.append(f"  ... and {len(wrong) - N_PRINTED} more")
    return lines
