"""Numbered checkpoints as files: which are there, whether they are whole, which may go.

Beside the files of checkpoint N, `ckpt-N.index` and `ckpt-N.data-*`, lies `ckpt-N.json` with their
sizes and SHA-256, written last. TensorFlow's state file `checkpoint` is written for its tools and
not read: it may be lost or wrong. Importing this module does not import TensorFlow.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import stat
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.errors import UserError
from hvp.files import file_sha256, replacing, require_regular

if TYPE_CHECKING:
    import tensorflow as tf

PREFIX = "ckpt"
STATE_FILE = "checkpoint"
FILE = re.compile(rf"{PREFIX}-(\d{{1,18}})(?:\.(index|json|data-.*)|_temp)")
# TensorFlow's reader takes a path for a pattern.
PATTERN = re.compile(r"[\[\]*?\\{}]")


class CheckpointFiles:
    """The checkpoints in one folder, which need not be there."""

    def __init__(self, folder: Path):
        self.folder = folder

    def prefix(self, step: int) -> str:
        """What TensorFlow calls the checkpoint of `step`."""
        return str(self.folder / f"{PREFIX}-{step}")

    def steps(self) -> list[int]:
        """The steps of all checkpoints, rising; damaged ones too, unfinished ones not."""
        return sorted({step for step, ending in self._listed() if ending in ("index", "json")})

    def _listed(self) -> Iterator[tuple[int, str]]:
        for name in os.listdir(self.folder) if self.folder.is_dir() else ():
            if match := re.fullmatch(
                rf"{PREFIX}-(\d{{1,18}})(?:\.(index|json|data-.*)|_temp)", name
            ):
                yield int(match[1]), match[2] or "temp"

    def _files(self, step: int) -> list[Path]:
        names = [f"{PREFIX}-{found}.{ending}" for found, ending in self._listed() if found == step]
        return [
            self.folder / name for name in sorted(names) if not name.endswith((".json", "temp"))
        ]

    def write(self, checkpoint: tf.train.Checkpoint, step: int) -> None:
        """Writes the checkpoint of `step`, and what it is verified by."""
        self.folder.mkdir(parents=True, exist_ok=True)
        self.break_seal(step)
        checkpoint.write(self.prefix(step))
        self.seal(step)

    def seal(self, step: int) -> None:
        """Writes the sizes and checksums of a complete checkpoint's files beside them."""
        content = {
            path.name: {"bytes": path.stat().st_size, "sha256": file_sha256(path)}
            for path in self._files(step)
        }
        with replacing(self._seal(step)) as temporary:
            temporary.write_text(json.dumps(content, indent=1), encoding="utf-8")

    def break_seal(self, step: int) -> None:
        """To be called before the files of `step` are written anew."""
        self._seal(step).unlink(missing_ok=True)
        for path in self._files(step):
            # TensorFlow would write into what a link leads to, and wait for a pipe's reader.
            if not stat.S_ISREG(path.lstat().st_mode) and not path.is_dir():
                path.unlink()

    def _seal(self, step: int) -> Path:
        return self.folder / f"{PREFIX}-{step}.json"

    def problem(self, step: int) -> str:
        """What is wrong with the files of `step`, or nothing.

        Checkpoints without checksums beside them, as they were written before, are read instead:
        TensorFlow keeps a checksum of every tensor.
        """
        try:
            require_regular(self._seal(step))
            content = json.loads(self._seal(step).read_text(encoding="utf-8"))
            expected = {name: (facts["bytes"], facts["sha256"]) for name, facts in content.items()}
        except (
            UserError,
            OSError,
            ValueError,
            TypeError,
            KeyError,
            AttributeError,
            RecursionError,
        ):
            return self._read_problem(step)  # the checksums are lost, not what they are of
        for name, (size, sha256) in expected.items():
            path = self.folder / name
            try:
                if path.stat().st_size != size:
                    return f"{name} has {path.stat().st_size} bytes instead of {size}"
                if file_sha256(path) != sha256:
                    return f"{name} has other content than was written"
            except (OSError, UserError) as error:
                return f"{name} cannot be read ({getattr(error, 'strerror', None) or error})"
        return ""

    def _read_problem(self, step: int) -> str:
        import tensorflow as tf

        try:
            with self.readable(step) as prefix:
                reader = tf.train.load_checkpoint(prefix)
                for name in reader.get_variable_to_shape_map():
                    reader.get_tensor(name)
        # TensorFlow's reader raises all of these.
        except (tf.errors.OpError, IndexError, RuntimeError, ValueError, OSError) as error:
            return " ".join(str(getattr(error, "message", error)).split())[:200]
        return ""

    @contextmanager
    def readable(self, step: int) -> Iterator[str]:
        """The prefix of a checkpoint by a path that TensorFlow can read from."""
        if not PATTERN.search(str(self.folder)):
            yield self.prefix(step)
            return
        with tempfile.TemporaryDirectory(prefix="hvp-") as plain:
            link = Path(plain) / "checkpoints"
            link.symlink_to(self.folder.resolve(), target_is_directory=True)
            yield str(link / f"{PREFIX}-{step}")

    def newest_whole(self, first: int | None = None) -> tuple[int | None, list[str]]:
        """The newest checkpoint without a problem, and what is wrong with those after it.

        Args:
            first: to be tried before all others.
        """
        candidates = self.steps()[::-1]
        problems: list[str] = []
        if first in candidates:
            candidates.remove(first)
            candidates.insert(0, first)
        for step in candidates:
            problem = self.problem(step)
            if not problem:
                return step, problems
            problems.append(f"{PREFIX}-{step}: {problem}")
        return None, problems

    def keep(self, steps: list[int]) -> None:
        """Removes all other checkpoints, and writes TensorFlow's state file."""
        for step in self.steps():
            if step not in steps:
                self.break_seal(step)
                for path in self._files(step):
                    path.unlink(missing_ok=True)
        names = [f'"{PREFIX}-{step}"' for step in steps]
        lines = [f"model_checkpoint_path: {names[-1]}\n"]
        lines += [f"all_model_checkpoint_paths: {name}\n" for name in names]
        with replacing(self.folder / STATE_FILE) as temporary:
            temporary.write_text("".join(lines), encoding="utf-8")

    def clear_leftovers(self) -> None:
        """Removes what a killed process left of a checkpoint that it was writing."""
        whole = self.steps()
        for step, ending in list(self._listed()):
            if ending == "temp":
                shutil.rmtree(self.prefix(step) + "_temp", ignore_errors=True)
            elif step not in whole:
                (self.folder / f"{PREFIX}-{step}.{ending}").unlink(missing_ok=True)


def read_json(path: Path) -> Any:
    """The content of a small JSON file; None if it is not there or cannot be read."""
    try:
        require_regular(path)
        return json.loads(path.read_text(encoding="utf-8"))
    except (UserError, OSError, ValueError, RecursionError):
        return None
