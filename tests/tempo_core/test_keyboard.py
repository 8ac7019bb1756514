"""Tests of single keys, in a real terminal, and of lines where there is none."""

from __future__ import annotations

import io
import signal
import sys
import termios
import time

import pytest

from tempo_core.keyboard import ENTER, keyboard

from ..terminal import Terminal

READ = """
from tempo_core.keyboard import keyboard
with keyboard() as keys:
    print("ready", flush=True)
    while (key := keys.read()) != "q":
        print(f"<{key!r}>", flush=True)
        if key == "!":
            raise RuntimeError("broken")
"""


def test_keys_come_one_by_one_without_enter_and_unseen() -> None:
    with Terminal(["-c", READ]) as terminal:
        terminal.until("ready\n")
        assert terminal.modes != terminal.before
        terminal.press("aB")
        assert terminal.until("<'b'>") == "<'a'>\n<'b'>"
        for pressed, key in (("\n", ENTER), ("\r", ENTER), ("\x1b[A", "\x1b"), ("é", "é")):
            terminal.press(pressed)
            assert terminal.until(f"<{key!r}>") == f"\n<{key!r}>"
        terminal.press("\x04")
        assert terminal.until("<None>") == "\n<None>"
        terminal.press("q")
        assert terminal.end() == (0, "\n")
        assert terminal.modes == terminal.before


@pytest.mark.parametrize(
    "how", ["broken", signal.SIGINT, pytest.param(signal.SIGTERM, marks=pytest.mark.slow)]
)
def test_the_terminal_is_as_before_whatever_happens(how: str | signal.Signals) -> None:
    with Terminal(["-c", READ]) as terminal:
        terminal.until("ready\n")
        if isinstance(how, signal.Signals):
            terminal.process.send_signal(how)
        else:
            terminal.press("!")
        code, _ = terminal.end()
        assert code in (1, -how if isinstance(how, signal.Signals) else 1)
        assert terminal.modes == terminal.before


def test_the_terminal_is_as_before_while_the_process_is_stopped() -> None:
    with Terminal(["-c", READ]) as terminal:
        terminal.until("ready\n")
        single = terminal.modes
        for number, modes in ((signal.SIGTSTP, terminal.before), (signal.SIGCONT, single)) * 2:
            terminal.process.send_signal(number)
            deadline = time.monotonic() + 10
            while terminal.modes != modes and time.monotonic() < deadline:
                time.sleep(0.01)
            assert terminal.modes == modes


@pytest.mark.slow
def test_after_ctrl_z_keys_are_single_again() -> None:
    with Terminal(["-c", READ]) as terminal:
        terminal.until("ready\n")
        single = terminal.modes
        terminal.process.send_signal(signal.SIGSTOP)
        termios.tcsetattr(terminal._theirs, termios.TCSANOW, terminal.before)  # as a shell does
        terminal.process.send_signal(signal.SIGCONT)
        deadline = time.monotonic() + 10
        while terminal.modes != single and time.monotonic() < deadline:
            time.sleep(0.01)
        assert terminal.modes == single


def test_without_a_terminal_each_line_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO(" K \n\nno end"))
    with keyboard() as keys:
        assert not keys.is_terminal
        assert [keys.read() for _ in range(5)] == ["k", "", "no end", None, None]


def test_a_closed_input_has_no_keys(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", None)
    with keyboard() as keys:
        assert keys.read() is None


def test_no_signal_handler_stays() -> None:
    code = (
        "import signal\nfrom tempo_core.keyboard import keyboard\n"
        "with keyboard() as keys: pass\n"
        "print([signal.getsignal(s) == signal.SIG_DFL for s in (signal.SIGTERM, signal.SIGCONT)])"
    )
    with Terminal(["-c", code]) as terminal:
        assert terminal.end() == (0, "[True, True]\n")
