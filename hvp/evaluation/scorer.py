"""All metrics of a batch of predictions, some frames at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import tensorflow as tf

from hvp.metrics.protocols import Protocol
from hvp.metrics.registry import METRICS

if TYPE_CHECKING:
    from hvp.evaluation.open_loop import OpenLoopSettings
    from hvp.metrics.perceptual import LPIPS

# Values that are scored at once: SSIM keeps about ten float64 numbers of each, 0.3 GB in all.
PIXELS_AT_ONCE = 2**22


class Scorer:
    """All metrics of a batch: `(batch, horizon, H, W, C)` against `(samples, batch, ...)`.

    Attributes:
        weights_sha256: of the networks among the metrics, file -> SHA-256.
        lpips: its network; `None` where it is not among the metrics.
    """

    def __init__(self, settings: OpenLoopSettings, protocol: Protocol) -> None:
        self._functions: dict[str, Callable[..., tf.Tensor]] = {}
        self._of_videos: dict[str, Callable[..., tf.Tensor]] = {}
        self.weights_sha256: dict[str, str] = {}
        self.lpips: LPIPS | None = None
        for metric in settings.metrics:
            implementation: Any = METRICS[metric].load()
            if inspect.isclass(implementation):
                implementation = implementation(settings.weights_dir)  # type: ignore[call-arg]
                if metric == "lpips":
                    self.lpips = implementation
                self.weights_sha256.update(
                    {f"{metric}/{file}": digest for file, digest in implementation.sha256.items()}
                )
            functions = self._functions if METRICS[metric].of == "frame" else self._of_videos
            functions[metric] = partial(implementation, convention=protocol.convention(metric))
        self._graph: Callable[..., dict[str, tf.Tensor]] | None = None

    def __call__(self, true: tf.Tensor, pred: tf.Tensor) -> dict[str, np.ndarray]:
        """Metric -> `(samples, batch, horizon)`, or `(samples, batch, 1)` for one of videos."""
        return {**self._score_frames(true, pred), **self._score_videos(true, pred)}

    def _score_frames(self, true: tf.Tensor, pred: tf.Tensor) -> dict[str, np.ndarray]:
        if not self._functions:
            return {}
        samples, batch, horizon, *frame = pred.shape
        if self._graph is None:  # one graph for every batch size and number of samples
            self._graph = tf.function(
                lambda true, pred: {m: f(true, pred) for m, f in self._functions.items()},
                input_signature=[
                    tf.TensorSpec([None, *frame], tf.float32),
                    tf.TensorSpec([None, None, *frame], tf.float32),
                ],
                autograph=False,  # it would wrap the metrics' own messages
            )
        true = tf.reshape(true, (-1, *frame))
        pred = tf.reshape(pred, (samples, -1, *frame))
        step = max(1, PIXELS_AT_ONCE // (samples * int(np.prod(frame))))
        parts = [
            self._graph(true[first : first + step], pred[:, first : first + step])
            for first in range(0, batch * horizon, step)
        ]
        return {
            metric: np.concatenate([part[metric] for part in parts], 1).reshape(
                samples, batch, horizon
            )
            for metric in self._functions
        }

    def _score_videos(self, true: tf.Tensor, pred: tf.Tensor) -> dict[str, np.ndarray]:
        samples, batch = pred.shape[:2]
        step = max(1, PIXELS_AT_ONCE // (samples * int(np.prod(pred.shape[2:]))))
        firsts = range(0, batch, step)
        return {
            metric: np.concatenate(
                [function(true[i : i + step], pred[:, i : i + step]) for i in firsts], axis=1
            )[..., None]
            for metric, function in self._of_videos.items()
        }
