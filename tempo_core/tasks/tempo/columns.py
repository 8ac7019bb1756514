"""Columns of the results of the tempo task."""

from ...columns import Column


def format_range(ends: tuple[float, float]) -> str:
    """Lowest and highest tempo [BPM] as text: `118.0-131.5`."""
    return f"{ends[0]:.1f}-{ends[1]:.1f}"


COLUMNS = (
    # No field: what the plugin stores as `bpm` depends on the tempo that is there already.
    Column("bpm", float),
    Column("confidence", float, "tempo_confidence"),
    Column("octave_confidence", float, "tempo_octave_confidence", in_table=False),
    Column("stability", float, "tempo_stability", in_table=False),
    Column("tempo_range", str, "tempo_range", format_range, format_range, in_table=False),
)
