"""`VideoModel.export`: the functions that are exported, and the formats."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import tensorflow as tf

from hvp.errors import UserError, writing
from hvp.models.arguments import check_counts
from hvp.models.onnx_files import check_onnx, converting
from hvp.models.seeds import example_seeds

if TYPE_CHECKING:
    from hvp.models.base import VideoModel

SUFFIXES = {"onnx": ".onnx", "litert": ".tflite"}


class Program(NamedTuple):
    """A function to export: its name, the specifications of its inputs, and itself."""

    name: str
    inputs: list[tf.TensorSpec]
    function: Callable[..., dict[str, tf.Tensor]]


def export(model: VideoModel, path: str | Path, format: str, verbose: bool, **shapes: Any) -> None:
    """See `hvp.models.saved.SavedModel.export`."""
    path = Path(path)
    if format not in ("tf_saved_model", *SUFFIXES):
        known = ", ".join(("tf_saved_model", *SUFFIXES))
        raise ValueError(f"format must be one of {known}, received {format!r}")
    if format in SUFFIXES and path.suffix != SUFFIXES[format]:
        raise ValueError(f"{format} files end in {SUFFIXES[format]}, received {path}")
    program = generating(model, **shapes) if _generates(model) else predicting(model, **shapes)
    with writing(path):
        if format == "tf_saved_model":
            _write_saved_model(model, program, path, verbose)
        else:
            _convert(model, program, path, format, verbose)


def _generates(model: VideoModel) -> bool:
    return type(model)._generate is not _base()._generate


def _base() -> type[VideoModel]:
    from hvp.models.base import VideoModel

    return VideoModel


def predicting(
    model: VideoModel,
    horizon: int,
    context: int | None = None,
    num_samples: int = 1,
    batch_size: int | None = None,
) -> Program:
    """`rollout` with `horizon` and `num_samples` given."""
    context = model.min_context if context is None else context
    check_counts(horizon=horizon, context=context, num_samples=num_samples)
    if context < model.min_context:
        raise ValueError(f"context must be at least {model.min_context}, received {context}")
    if batch_size is not None:
        check_counts(batch_size=batch_size)
    inputs = [
        tf.TensorSpec([batch_size, context, *model.frame_shape], tf.float32, "context"),
        tf.TensorSpec([2], tf.int32, "seed"),
    ]
    if model.needs_masks:
        inputs.append(
            tf.TensorSpec([batch_size, context, *model.frame_shape[:2]], tf.uint8, "masks")
        )

    def rollout(
        context: tf.Tensor, seed: tf.Tensor, masks: tf.Tensor | None = None
    ) -> dict[str, tf.Tensor]:
        seeds = example_seeds(seed, tf.shape(context)[0])
        return {"frames": model.samples(context, horizon, num_samples, seeds, masks)}

    return Program("rollout", inputs, rollout)


def generating(model: VideoModel, num_videos: int, num_frames: int) -> Program:
    """`generate` with its numbers given."""
    check_counts(num_videos=num_videos, num_frames=num_frames)

    def generate(seed: tf.Tensor) -> dict[str, tf.Tensor]:
        frames = model._generate(num_videos, num_frames, seed)
        return {"frames": tf.clip_by_value(frames, 0.0, 1.0)}

    return Program("generate", [tf.TensorSpec([2], tf.int32, "seed")], generate)


def _write_saved_model(model: VideoModel, program: Program, path: Path, verbose: bool) -> None:
    archive = keras.export.ExportArchive()
    archive.track(model)
    archive.add_endpoint(program.name, program.function, program.inputs)
    archive.write_out(path, verbose=verbose)


class _Called(keras.Model):
    """A program as a model's `call`, which is what Keras exports to other formats."""

    def __init__(self, model: VideoModel, program: Program):
        super().__init__(name=program.name)
        self.model, self.program = model, program.function
        self.built = True

    def call(self, *inputs: tf.Tensor) -> dict[str, tf.Tensor]:
        return self.program(*inputs)


def _convert(model: VideoModel, program: Program, path: Path, format: str, verbose: bool) -> None:
    called, signature = _Called(model, program), program.inputs
    try:
        with converting() if format == "onnx" else nullcontext():
            keras.Model.export(called, path, format, verbose=verbose, input_signature=signature)
        if format == "onnx":
            check_onnx(path)
    except ImportError as error:
        raise UserError(f"{path}: {format} needs a converter that is not here: {error}") from error
    except OSError:
        raise
    except Exception as error:  # converters raise anything
        path.unlink(missing_ok=True)
        reason = " ".join(str(error).split())[:300]
        raise UserError(
            f"{path}: {format} cannot hold this {type(model).__name__} ({reason}); "
            "format='tf_saved_model' can"
        ) from error
