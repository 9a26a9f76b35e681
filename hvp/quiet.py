"""Keeps TensorFlow's start-up notes from burying the commands' own messages."""

from __future__ import annotations

import os
import sys
import tempfile
from pathlib import Path


def import_tensorflow() -> None:
    """Imports TensorFlow and lists its devices without showing its notes.

    They are written to file descriptor 2 before any log level is read, so they are caught there.
    They are shown after all where they matter: if the import fails, or if the machine has an NVIDIA
    device that TensorFlow does not see. `HVP_VERBOSE=1` shows them always.
    """
    if os.environ.get("HVP_VERBOSE") or "tensorflow" in sys.modules:
        import tensorflow  # noqa: F401

        return
    sys.stderr.flush()
    stderr = os.dup(2)
    gpus: list[object] | None = None
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            import tensorflow as tf

            gpus = tf.config.list_physical_devices("GPU")
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            notes.seek(0)
            text = notes.read().decode(errors="replace")
            if gpus is None or (not gpus and Path("/dev/nvidia0").exists()):
                sys.stderr.write(text)
