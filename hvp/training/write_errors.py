"""TensorFlow's failures to write files, as the user's errors."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import tensorflow as tf

from hvp.errors import UserError, writing


@contextmanager
def writing_run(path: str | Path) -> Iterator[None]:
    """As `hvp.errors.writing`, for TensorFlow's own writers too. Wrap nothing but writes in it."""
    try:
        with writing(path):
            yield
    except tf.errors.OpError as error:
        first = " ".join(str(error.message).split())[:300]
        raise UserError(
            f"cannot write to {path}: {first}; free some space or choose another --logdir, then "
            "run the same command again: it goes on from the last checkpoint"
        ) from error
