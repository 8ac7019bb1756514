"""Lines at the end of `beet tempo-eval`: accuracy, stated paces, keys, labels that disagree."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from tempo_core.console import shown

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from trainer.evaluation.answers import Answer
    from trainer.evaluation.figures import EvaluationFigures
    from trainer.evaluation.key_answers import KeyAnswer

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
        m = figures_of_one.all
        if not (math.isnan(m.ece) or math.isnan(m.octave_ece)):
            lines.append(
                f"{name}: confidence off by {m.ece:.3f}, that in the octave by {m.octave_ece:.3f}"
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


def key_lines(answers: Sequence[KeyAnswer], table: Path) -> list[str]:
    """Lines on keys: the main figures, what is taken for what, and the surest wrong answers.

    Parameters
    ----------
    answers
        Answers about keys, those of the model first; no lines if there are none.
    table
        File with a table of all wrong answers of the model.
    """
    from trainer.evaluation.key_figures import key_figures_of, keys_by_estimator, surest_wrong
    from trainer.evaluation.key_tables import confusion_table, wrong_key_line
    from trainer.evaluation.text_tables import aligned

    if not answers:
        return []
    figures, lines = key_figures_of(answers), []
    for name, own in figures.items():
        for set_, m in {"all": own.all, **own.sets}.items():
            low, high = m.weighted_interval
            off = "" if math.isnan(m.ece) else f"; confidence off by {m.ece:.3f}"
            lines.append(
                f"{name}, {set_}: the very key of {100 * m.exact:.1f} % of {m.n}, weighted key "
                f"score {100 * m.weighted:.1f} % (95 % interval {100 * low:.0f} to "
                f"{100 * high:.0f}){off}"
            )
    model, first = next(iter(figures.items()))
    lines += [f"  {line}" for line in aligned(confusion_table(model, first))]
    wrong = surest_wrong(keys_by_estimator(answers)[model])
    if not wrong:
        return lines
    told = "1 key differs" if len(wrong) == 1 else f"{len(wrong)} keys differ"
    lines.append(f"{told} from the analysis, those it is surest of first; in {table}")
    for answer in wrong[:N_PRINTED]:
        lines += [f"  {wrong_key_line(answer)}", f"    {shown(answer.track.path)}"]
    if len(wrong) > N_PRINTED:
        lines.append(f"  ... and {len(wrong) - N_PRINTED} more")
    return lines
