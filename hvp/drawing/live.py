"""Plays frames in a window."""

from __future__ import annotations

import time
from collections.abc import Iterable
from typing import Any

import numpy as np

from hvp.errors import UserError


class Window:
    """A window on the screen that shows one frame after the other.

    Args:
        delay: seconds that a frame stays.

    Raises:
        UserError: without a screen.
    """

    def __init__(self, delay: float):
        try:
            import tkinter
            from tkinter import TclError
        except ImportError as error:
            raise UserError(f"--live: Python has no tkinter here ({error})") from error
        try:
            self._root = tkinter.Tk()
        except TclError as error:
            raise UserError(
                f"--live: there is no display ({error}); without --live the files say the same"
            ) from error
        self._closed, self._gone = False, TclError
        self.delay = delay
        self._label = tkinter.Label(self._root)
        self._label.pack()

    def play(self, title: str, frames: Iterable[np.ndarray]) -> None:
        """Shows uint8 frames `(height, width, 3)`, unless the window has been closed."""
        from PIL import Image, ImageTk

        for frame in frames:
            if self._closed:
                return
            until = time.monotonic() + self.delay
            try:
                self._root.title(title)
                picture: Any = ImageTk.PhotoImage(Image.fromarray(frame))
                self._label.configure(image=picture)
                self._root.update()
            except self._gone:
                self._closed = True
            time.sleep(max(0.0, until - time.monotonic()))
