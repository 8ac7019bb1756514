"""The errors this package raises, one base class and a few leaves.

Every message says what was given, what was expected and what to do about it, in one line.
"""


def reason(error: Exception) -> str:
    """Reason that the system or libav gives in an error: one line, without path and number."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).splitlines()[0]


class TempoError(Exception):
    """Base class of everything this package raises on purpose."""


class AudioError(TempoError):
    """A file that cannot be read as music: missing, empty, broken, silent or too short."""


class TimeLimitError(AudioError):
    """A file that was given up because it took longer than the time limit.

    Parameters
    ----------
    seconds
        The time limit [s].
    """

    def __init__(self, seconds: float) -> None:
        super().__init__(f"given up after {seconds:g} s, the time limit for one file")


class CheckpointError(TempoError):
    """A model file that is missing, damaged, altered or of an unknown layout."""


class ConfigError(TempoError):
    """A setting outside its range or of an unknown name."""


class LabelError(TempoError):
    """Published labels that cannot be fetched, read or kept."""


class StorageError(TempoError):
    """A result that cannot be stored: the disk is full, the folder is read-only."""


class LayoutError(TempoError):
    """A file, or a tag in it, whose structure does not allow a safe change of a tag."""


class ClusterError(TempoError):
    """A cluster that cannot be reached, was lost, or cannot do the work."""
