"""All metrics of a batch of predictions, some frames at a time."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
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
    """All metrics of videos `(batch, time, H, W, C)`, of samples `(samples, batch, time, ...)`.

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

    @property
    def scores_videos(self) -> bool:
        """Whether there are metrics of whole videos."""
        return bool(self._of_videos)

    def score_frames(
        self, true: tf.Tensor, pred: tf.Tensor, others: Sequence[tf.Tensor] = ()
    ) -> dict[str, np.ndarray]:
        """Metrics of frames, `(others + samples, batch, time)` each.

        Args:
            true: `(batch, time, height, width, channels)`, float32 as all are.
            pred: `(samples, batch, time, height, width, channels)`.
            others: scored before the samples: of the shape of `true`, or one frame each,
                `(batch, 1, ...)`, that stands for all. They are never all together in memory.
        """
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
        count = len(others) + samples
        true = tf.reshape(true, (-1, *frame))
        pred = tf.reshape(pred, (samples, -1, *frame))
        step = max(1, PIXELS_AT_ONCE // (count * int(np.prod(frame))))
        parts = []
        for first in range(0, batch * horizon, step):
            places = range(first, min(first + step, batch * horizon))
            compared = [_frames(other, places, horizon)[None] for other in others]
            some = tf.concat([*compared, pred[:, first : first + step]], 0)
            parts.append(self._graph(true[first : first + step], some))
        return {
            metric: np.concatenate([part[metric] for part in parts], 1).reshape(
                count, batch, horizon
            )
            for metric in self._functions
        }

    def score_videos(
        self, true: tf.Tensor, pred: tf.Tensor, others: Sequence[tf.Tensor] = ()
    ) -> dict[str, np.ndarray]:
        """Metrics of whole videos, `(others + samples, batch, 1)` each; as `score_frames`."""
        if not self._of_videos:
            return {}
        whole = [tf.broadcast_to(other, true.shape)[None] for other in others]
        pred = tf.concat([*whole, pred], 0)
        samples, batch = pred.shape[:2]
        step = max(1, PIXELS_AT_ONCE // (samples * int(np.prod(pred.shape[2:]))))
        firsts = range(0, batch, step)
        return {
            metric: np.concatenate(
                [function(true[i : i + step], pred[:, i : i + step]) for i in firsts], axis=1
            )[..., None]
            for metric, function in self._of_videos.items()
        }


def _frames(video: tf.Tensor, places: range, horizon: int) -> tf.Tensor:
    """Frames of `(batch, horizon or 1, ...)` by their places among `batch * horizon`."""
    flat = tf.reshape(video, (-1, *video.shape[2:]))
    if video.shape[1] == horizon:
        return flat[places.start : places.stop]
    return tf.gather(flat, [place // horizon for place in places])
