"""Waiting for what is done in the thread of fsspec, so that Ctrl-C and time limits end it."""

from __future__ import annotations

import asyncio
import concurrent.futures
from collections.abc import Coroutine
from typing import Any, TypeVar

from fsspec.asyn import get_loop

from ..background import POLL, Stopped, is_wanted

T = TypeVar("T")


def wait(work: Coroutine[Any, Any, T]) -> T:
    """The result of a coroutine, which runs in the event loop of fsspec.

    Raises
    ------
    Stopped
        If the result is not wanted any more; the coroutine is cancelled, and its connection closed.
    """
    future = asyncio.run_coroutine_threadsafe(work, get_loop())
    while True:
        try:
            return future.result(POLL)
        except concurrent.futures.TimeoutError:
            if future.done():  # it was an error of the work itself, or it ended just now
                return future.result()
        except concurrent.futures.CancelledError as error:
            raise Stopped("nobody waits for this any more") from error
        except KeyboardInterrupt:  # of a program that uses this package in its main thread
            future.cancel()
            raise
        if not is_wanted():
            future.cancel()
            raise Stopped("nobody waits for this any more")
