"""Signals while training: noted, acted on after the step, and agreed on between workers."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

STOPPING = (signal.SIGINT, signal.SIGTERM)
TERMINATED = 2.0**12  # what SIGTERM adds to the workers' sum, for each replica; SIGINT adds 1


class Interrupted(Exception):
    """Training was asked to stop by a signal, and has saved its state."""

    def __init__(self, signal_number: int, message: str):
        super().__init__(message)
        self.exit_code = 128 + signal_number


@contextmanager
def collected_signals() -> Iterator[list[int]]:
    """Collects SIGINT and SIGTERM instead of dying of them; a second one does kill."""
    received: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, _frame: Any) -> None:
        received.append(number)
        signal.signal(number, before[number])

    for kind in STOPPING:
        try:
            before[kind] = signal.signal(kind, note)
        except ValueError:  # not the main thread: the caller handles signals
            break
    try:
        yield received
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_flag(received: list[int]) -> float:
    """What this worker adds to the sum by which all workers learn of a signal."""
    if not received:
        return 0.0
    return TERMINATED if received[0] == signal.SIGTERM else 1.0


def agreed_signal(total: float) -> int | None:
    """The signal that the sum of all workers' `stop_flag` stands for."""
    if not total:
        return None
    return signal.SIGTERM if total >= TERMINATED else signal.SIGINT
