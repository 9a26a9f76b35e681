"""Importing TensorFlow: fast, and without its notes burying hvp's own messages."""

from __future__ import annotations

import gc
import importlib
import os
import sys
import tempfile
import types
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from hvp.heap import limit_arenas

# What TensorFlow and Keras do without: galleries of pictures, an editor of files, and sparse
# matrices for Keras 2, of which TensorFlow holds a part.
NOT_NEEDED = ("matplotlib", "IPython", "scipy")
# What they name and rarely use: requests to the Cloud, files of weights, TensorFlow Lite, profiles
# of other machines.
RARELY_NEEDED = (
    "requests",
    "h5py",
    "tensorflow._api.v2.lite",
    "tensorflow._api.v2.compat.v1.lite",
    "tensorflow._api.v2.compat.v2.lite",
    "tensorflow._api.v2.profiler.experimental.client",
    "tensorflow._api.v2.compat.v2.profiler.experimental.client",
)


def import_tensorflow() -> None:
    """Imports TensorFlow for a command, which is a process of its own; see `quiet_import`.

    The process then keeps less of what it frees; see `hvp.heap`.

    From then on Python searches for garbage among what comes, no longer among the 350 000 objects
    of the imports: tracing a model makes it search time and again.

    What is `NOT_NEEDED` is kept from them, and what is `RARELY_NEEDED` imported when it is used:
    half a second and more. In such a process Keras' galleries (`keras.visualization`) say that they
    need matplotlib, and its editor of files shows plain text. Who imports any of it afterwards has
    it. Graphs are optimised once, so that numbers may be rounded otherwise than where TensorFlow
    was imported without this.
    """
    if "tensorflow" in sys.modules:
        return
    limit_arenas()
    stand_ins = {**dict.fromkeys(NOT_NEEDED), **{name: Later(name) for name in RARELY_NEEDED}}
    with quiet_import(), ExitStack() as instead:
        for name, stand_in in stand_ins.items():
            instead.enter_context(imported_as(name, stand_in))
        # Before TensorFlow it loads its parts as they are used; after it, all of them at once.
        import tensorflow_probability  # noqa: F401, I001
        import tensorflow  # noqa: F401

        _optimise_graphs_once()
    gc.freeze()


def _optimise_graphs_once() -> None:
    """Lets TensorFlow's graph optimiser go over each graph once and not twice.

    The second time takes a third of its time and finds next to nothing: of the hierarchical
    model's last 3 300 operations 43, of DFDNet's 5 300 ten.
    """
    import tensorflow as tf
    from tensorflow.python.eager import context

    config = tf.compat.v1.ConfigProto()
    config.graph_options.rewrite_options.meta_optimizer_iterations = 1
    # What this sets no public function of TensorFlow 2 does.
    context.context()._config = config


@contextmanager
def quiet_import() -> Iterator[None]:
    """Imports in it may be TensorFlow's first, whose notes are kept back then.

    They are written to file descriptor 2 before any log level is read, so they are caught there.
    They are shown after all where they matter: if an import fails, or if the machine has an NVIDIA
    device that TensorFlow does not see. `HVP_VERBOSE=1` shows them always.

    Python searches for no garbage meanwhile, which takes a sixth of TensorFlow's import.
    """
    with _without_garbage_collection(), _notes_kept():
        yield


class Later(types.ModuleType):
    """Stands for a module, which is imported when something of it is asked for."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):  # an import's own questions
            raise AttributeError(name)
        if sys.modules.get(self.__name__) is self:
            del sys.modules[self.__name__]
        return getattr(importlib.import_module(self.__name__), name)


@contextmanager
def imported_as(name: str, stand_in: types.ModuleType | None) -> Iterator[None]:
    """Imports of a module give `stand_in` meanwhile, or fail where that is `None`.

    If it has been imported before, nothing changes.
    """
    if name in sys.modules:
        yield
        return
    sys.modules[name] = stand_in  # type: ignore[assignment]  # Python takes `None` for absent
    try:
        yield
    finally:
        # Of a `Later` that was used meanwhile, the module itself is there, and stays.
        if name in sys.modules and sys.modules[name] is stand_in:
            del sys.modules[name]


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()


@contextmanager
def _notes_kept() -> Iterator[None]:
    stderr = None if os.environ.get("HVP_VERBOSE") or "tensorflow" in sys.modules else _copy()
    if stderr is None:
        yield
        return
    shown = True
    with tempfile.TemporaryFile() as notes:
        os.dup2(notes.fileno(), 2)
        try:
            yield
            shown = "tensorflow" not in sys.modules or _misses_gpu()
        finally:
            sys.stderr.flush()
            os.dup2(stderr, 2)
            os.close(stderr)
            notes.seek(0)
            if shown:
                sys.stderr.write(notes.read().decode(errors="replace"))


def _copy() -> int | None:
    """A copy of file descriptor 2; `None` where there is none, as in a program without console."""
    try:
        sys.stderr.flush()
        return os.dup(2)
    except (AttributeError, OSError):
        return None


def _misses_gpu() -> bool:
    import tensorflow as tf

    return not tf.config.list_physical_devices("GPU") and Path("/dev/nvidia0").exists()
