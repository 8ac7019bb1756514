"""Single keys from a terminal, or lines where the input is none."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Protocol, TextIO

from .background import before_quitting

ENTER = "\n"
_ESCAPE, _END = "\x1b", "\x04"  # the first character of an arrow key, and Ctrl-D


class Keyboard(Protocol):
    """Where keys come from."""

    is_terminal: bool

    def read(self) -> str | None:
        """The next key, waited for: a character in lower case, `ENTER`, or None at the end.

        Where the input is no terminal it is the next line, without blanks around it.
        """


@contextmanager
def keyboard() -> Iterator[Keyboard]:
    """Context in which keys are read one by one, without Enter and without being shown.

    The terminal is as before afterwards, also after Ctrl-C, an error, SIGTERM and SIGHUP, and while
    the process is stopped with Ctrl-Z.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        yield _Lines(sys.stdin)
    elif os.name == "nt":
        yield _Console()
    else:
        with _single_keys(sys.stdin.fileno()):
            yield _Terminal(sys.stdin.fileno())


class _Lines:
    """Lines of a file or pipe; None: standard input is closed."""

    is_terminal = False

    def __init__(self, stream: TextIO | None) -> None:
        self._stream = stream

    def read(self) -> str | None:
        line = self._stream.readline() if self._stream is not None else ""
        return line.strip().lower() if line else None


class _Terminal:
    """A terminal that gives single keys."""

    is_terminal = True

    def __init__(self, file: int) -> None:
        self._file = file
        self._typed = ""

    def read(self) -> str | None:
        while not self._typed:
            try:
                data = os.read(self._file, 1024)
            except OSError:  # the terminal was closed
                return None
            if not data:
                return None
            text = data.decode("utf-8", "replace")
            # Arrow keys and the like send several characters at once, which are one key.
            self._typed = _ESCAPE if text.startswith(_ESCAPE) else text
        key, self._typed = self._typed[0], self._typed[1:]
        return _named(key)


class _Console:
    """The console of Windows."""

    is_terminal = True

    def read(self) -> str | None:
        import msvcrt

        console: Any = msvcrt  # its functions are not known on other systems
        key: str = console.getwch()
        if key in ("\x00", "\xe0"):  # the first half of an arrow key and the like
            console.getwch()
            return _ESCAPE
        if key == "\x03":
            raise KeyboardInterrupt
        return _named(key)


def _named(key: str) -> str | None:
    if key == _END:
        return None
    return ENTER if key in "\r\n" else key.lower()


@contextmanager
def _single_keys(file: int) -> Iterator[None]:
    """Context in which a terminal gives single keys."""
    import termios
    import tty

    before = termios.tcgetattr(file)

    def restore() -> None:
        termios.tcsetattr(file, termios.TCSADRAIN, before)

    def leave(number: int, _frame: Any) -> None:
        restore()
        signal.signal(number, signal.SIG_DFL)
        os.kill(os.getpid(), number)

    def pause(_number: int, _frame: Any) -> None:
        restore()  # not every shell does so itself
        os.kill(os.getpid(), signal.SIGSTOP)

    def come_back(_number: int, _frame: Any) -> None:
        tty.setcbreak(file)  # the shell had the terminal after Ctrl-Z

    handlers = {
        signal.SIGTERM: leave, signal.SIGHUP: leave,
        signal.SIGTSTP: pause, signal.SIGCONT: come_back,
    }  # fmt: skip
    previous = {number: signal.signal(number, handler) for number, handler in handlers.items()}
    before_quitting.append(restore)
    try:
        tty.setcbreak(file)
        yield
    finally:
        restore()
        before_quitting.remove(restore)
        for number, handler in previous.items():
            signal.signal(number, handler)
