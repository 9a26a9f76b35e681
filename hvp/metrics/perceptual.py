"""LPIPS v0.1 with the AlexNet trunk."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import h5py
import numpy as np
import tensorflow as tf

from hvp.errors import UserError
from hvp.metrics._frames import checked, choose, clipped
from hvp.metrics.lpips_weights import weights_folder, weights_sha256

_SHIFT = (-0.030, -0.088, -0.188)
_SCALE = (0.458, 0.448, 0.450)
_SLICES = (  # pool before the convolution, zero padding, stride
    (False, 2, 4),
    (True, 2, 1),
    (True, 1, 1),
    (False, 1, 1),
    (False, 1, 1),
)
_SMALLEST = 31  # below it the second pooling window does not fit
_PIXELS_AT_ONCE = 2**20  # about 0.4 GB of activations


class LPIPS:
    """Learned perceptual distance of frames; lower is closer, 0 for identical frames.

    Args:
        weights_dir: folder of the published AlexNet weights, or its parent; see
            `hvp.metrics.lpips_weights.weights_folder` for where they are looked for otherwise.

    Attributes:
        sha256: file name -> SHA-256 of the weights in use.

    Raises:
        UserError: if the weights are missing and cannot be downloaded, or are not the published
            ones.

    Example:
        >>> hvp.metrics.LPIPS()(true, pred)      # (batch, time)
    """

    def __init__(self, weights_dir: str | Path | None = None) -> None:
        folder = weights_folder("lpips_alex", weights_dir)
        self.sha256 = weights_sha256("lpips_alex")
        self._slices, self._lins = [], []
        for index in range(len(_SLICES)):
            layer = "layers/sequential/layers/conv2d/vars"
            kernel, bias = _arrays(
                folder / f"slice_{index + 1}_base.keras", f"{layer}/0", f"{layer}/1"
            )
            # Stored as (width, height, in, out).
            self._slices.append((tf.constant(kernel.swapaxes(0, 1)), tf.constant(bias)))
            (lin,) = _arrays(folder / f"lin{index}.keras", "conv_layer/layers/conv2d/vars/0")
            self._lins.append(tf.constant(lin[0, 0, :, 0]))  # (channels,)
        self._distances = tf.function(self._all_frames, reduce_retracing=True, autograph=False)

    def __call__(self, true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
        """Distance of every frame, in the resolution given.

        Args:
            true: `(..., time, height, width, channels)`, float in [0, 1], channels 1 or 3, at
                least 31x31 pixels.
            pred: the same; may have further leading axes, such as samples.
            convention: `default` (clipped to [0, 1]) or `unclipped`.

        Returns:
            `(..., time)`, float32, for the leading axes of `pred`.

        Raises:
            UserError: for frames smaller than 31x31.
            ValueError: for frames of different shapes, other channels or an unknown convention.
        """
        true, pred = checked(true, pred)
        choose("lpips", {"default": self._distances, "unclipped": self._distances}, convention)
        if convention == "default":
            pred = clipped(pred)
        height, width, channels = true.shape[-3:]
        _check_frame(height, width, channels)
        frame = (height, width, channels)
        frames_true = tf.reshape(true, (-1, *frame))  # (frames, H, W, C)
        count = tf.shape(frames_true)[0]
        # (samples, frames, H, W, C): the features of a true frame serve all samples.
        frames_pred = tf.reshape(pred, tf.stack([-1, count, *frame]))
        return tf.reshape(self._distances(frames_true, frames_pred), tf.shape(pred)[:-3])

    def _all_frames(self, true: tf.Tensor, pred: tf.Tensor) -> tf.Tensor:
        """`(frames, H, W, C)` and `(samples, frames, H, W, C)` to `(samples, frames)`."""
        samples, frames = tf.shape(pred)[0], tf.shape(true)[0]
        pixels = tf.shape(true)[1] * tf.shape(true)[2] * (1 + samples)
        step = tf.maximum(1, _PIXELS_AT_ONCE // pixels)
        parts = tf.TensorArray(tf.float32, 0, dynamic_size=True, infer_shape=False)

        def add(i: tf.Tensor, parts: tf.TensorArray) -> tuple[tf.Tensor, tf.TensorArray]:
            start, stop = i * step, (i + 1) * step
            part = self._some_frames(true[start:stop], pred[:, start:stop])
            return i + 1, parts.write(i, tf.transpose(part))  # (some, samples)

        loop = tf.while_loop(lambda i, _: i * step < frames, add, (tf.constant(0), parts))
        return tf.transpose(loop[1].concat())

    def features(self, frames: tf.Tensor) -> list[tf.Tensor]:
        """A feature map of each layer; the squared Euclidean distance of all together is LPIPS.

        Args:
            frames: `(frames, height, width, channels)`, as `true` of a call.
        """
        _check_frame(*frames.shape[-3:])
        return [
            unit * tf.sqrt(lin / tf.cast(tf.shape(unit)[1] * tf.shape(unit)[2], tf.float32))
            for unit, lin in self._layers(clipped(frames))
        ]

    def _some_frames(self, true: tf.Tensor, pred: tf.Tensor) -> tf.Tensor:
        samples, frames = tf.shape(pred)[0], tf.shape(true)[0]
        # (samples * some + some, H, W, C), one pass through the trunk
        flat = tf.concat([tf.reshape(pred, tf.concat([[-1], tf.shape(true)[1:]], 0)), true], 0)
        distance = tf.zeros((samples, frames))
        for unit, lin in self._layers(flat):
            of_pred = tf.reshape(
                unit[: samples * frames],
                tf.concat([[samples, frames], tf.shape(unit)[1:]], 0),
            )
            squared = tf.square(of_pred - unit[samples * frames :])
            distance += tf.reduce_mean(tf.reduce_sum(squared * lin, -1), (-2, -1))
        return distance

    def _layers(self, frames: tf.Tensor) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """Unit features `(frames, h, w, channels)` and the weights of their channels."""
        if frames.shape[-1] == 1:
            frames = tf.tile(frames, (1, 1, 1, 3))
        x = (2.0 * frames - 1.0 - _SHIFT) / _SCALE
        for (pool, padding, stride), (kernel, bias), lin in zip(
            _SLICES, self._slices, self._lins, strict=True
        ):
            if pool:
                x = tf.nn.max_pool2d(x, 3, 2, "VALID")
            # Explicit zeros: TensorFlow's SAME would pad one side more than the original does.
            x = tf.pad(x, ((0, 0), (padding, padding), (padding, padding), (0, 0)))
            x = tf.nn.relu(tf.nn.conv2d(x, kernel, stride, "VALID") + bias)
            yield x / (tf.norm(x, axis=-1, keepdims=True) + 1e-10), lin


def _check_frame(height: int, width: int, channels: int) -> None:
    if channels not in (1, 3):
        raise ValueError(f"LPIPS needs 1 or 3 channels, received {channels}")
    if min(height, width) < _SMALLEST:
        raise UserError(
            f"LPIPS needs frames of at least {_SMALLEST}x{_SMALLEST} pixels, these have "
            f"{height}x{width}; use larger frames or leave lpips out of the metrics"
        )


def _arrays(path: Path, *names: str) -> list[np.ndarray]:
    """Arrays from the weights inside a `.keras` archive, by their path there."""
    with zipfile.ZipFile(path) as archive:
        stored = io.BytesIO(archive.read("model.weights.h5"))
    with h5py.File(stored, "r") as weights:
        return [np.asarray(weights[name], np.float32) for name in names]
