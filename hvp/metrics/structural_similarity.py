"""Structural similarity (SSIM) per frame, in scikit-image's definition or TensorFlow's."""

from __future__ import annotations

import functools

import tensorflow as tf

from hvp.metrics._frames import FrameMetric, checked, choose, clipped

_WINDOW = 7


def ssim(true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
    """Structural similarity of every frame.

    Args:
        true: `(..., time, height, width, channels)`, float in [0, 1], at least 7x7 pixels
            (11x11 for `gaussian`).
        pred: the same; leading axes broadcast, so `(samples, batch, ...)` meets `(batch, ...)`.
        convention: `default` (predictions clipped to [0, 1], 7x7 uniform window with sample
            covariance, data range 1, the mean over channels: scikit-image's), `unclipped` (the
            same unclipped), `legacy` (unclipped, data range 2, as SVG and Clockwork VAE numbers
            were made), `simvp-legacy` (clipped, data range 2), `gaussian` (clipped,
            `tf.image.ssim`: 11x11 Gaussian window of sigma 1.5).

    Returns:
        `(..., time)`, float32 in [-1, 1], 1 for identical frames. Computed in float64 but for
        `gaussian`.

    Raises:
        ValueError: for an unknown convention, frames of different shapes or too small frames.
    """
    true, pred = checked(true, pred)
    implementation = choose("ssim", SSIM_CONVENTIONS, convention)
    smallest = 11 if convention == "gaussian" else _WINDOW
    height, width = true.shape[-3], true.shape[-2]
    if any(size is not None and size < smallest for size in (height, width)):
        raise ValueError(
            f"SSIM ({convention}) needs frames of at least {smallest}x{smallest} pixels, received "
            f"{height}x{width}"
        )
    return implementation(true, pred)


def _uniform(true: tf.Tensor, pred: tf.Tensor, data_range: float, clip: bool) -> tf.Tensor:
    function = _uniform_function(true.shape.rank, pred.shape.rank, data_range)
    return function(true, clipped(pred) if clip else pred)


@functools.cache
def _uniform_function(
    rank_true: int, rank_pred: int, data_range: float
) -> tf.types.experimental.PolymorphicFunction:
    # Shifted sums fuse to one pass under XLA, six times faster on a CPU than box filters by
    # convolution or pooling. A GPU is fast enough without, and may lack XLA's compiler.
    return tf.function(
        functools.partial(_uniform_ssim, data_range=data_range),
        input_signature=[
            tf.TensorSpec([None] * rank, tf.float32) for rank in (rank_true, rank_pred)
        ],
        autograph=False,
        jit_compile=not tf.config.list_logical_devices("GPU"),
    )


def _uniform_ssim(true: tf.Tensor, pred: tf.Tensor, data_range: float) -> tf.Tensor:
    # E[x^2] - E[x]^2 cancels: in float32 nearly flat frames would be off by 1e-4.
    x, y = (_channels_first(tf.cast(video, tf.float64)) for video in (true, pred))
    count = float(_WINDOW**2)
    mean_x, mean_y = _window_sum(x) / count, _window_sum(y) / count
    sample = count / (count - 1.0)
    variance_x = sample * (_window_sum(x * x) / count - mean_x * mean_x)
    variance_y = sample * (_window_sum(y * y) / count - mean_y * mean_y)
    covariance = sample * (_window_sum(x * y) / count - mean_x * mean_y)
    c1, c2 = (0.01 * data_range) ** 2, (0.03 * data_range) ** 2
    similarity = ((2.0 * mean_x * mean_y + c1) * (2.0 * covariance + c2)) / (
        (mean_x * mean_x + mean_y * mean_y + c1) * (variance_x + variance_y + c2)
    )
    return tf.cast(tf.reduce_mean(similarity, (-3, -2, -1)), tf.float32)


def _channels_first(video: tf.Tensor) -> tf.Tensor:
    """`(..., height, width, channels)` to `(..., channels, height, width)`."""
    rank = video.shape.rank
    return tf.transpose(video, (*range(rank - 3), rank - 1, rank - 3, rank - 2))


def _window_sum(x: tf.Tensor) -> tf.Tensor:
    """Sums over 7x7 windows: `(..., height, width)` to `(..., height - 6, width - 6)`."""
    pairs = x[..., :-1] + x[..., 1:]
    fours = pairs[..., :-2] + pairs[..., 2:]
    x = fours[..., :-3] + pairs[..., 4:-1] + x[..., 6:]
    pairs = x[..., :-1, :] + x[..., 1:, :]
    fours = pairs[..., :-2, :] + pairs[..., 2:, :]
    return fours[..., :-3, :] + pairs[..., 4:-1, :] + x[..., 6:, :]


def _gaussian(true: tf.Tensor, pred: tf.Tensor) -> tf.Tensor:
    pred = clipped(pred)
    leading = tf.broadcast_dynamic_shape(tf.shape(true)[:-3], tf.shape(pred)[:-3])
    frame = tf.shape(true)[-3:]
    true = tf.broadcast_to(true, tf.concat([leading, frame], 0))
    pred = tf.broadcast_to(pred, tf.concat([leading, frame], 0))
    return tf.image.ssim(true, pred, max_val=1.0)


SSIM_CONVENTIONS: dict[str, FrameMetric] = {
    "default": functools.partial(_uniform, data_range=1.0, clip=True),
    "unclipped": functools.partial(_uniform, data_range=1.0, clip=False),
    "legacy": functools.partial(_uniform, data_range=2.0, clip=False),
    "simvp-legacy": functools.partial(_uniform, data_range=2.0, clip=True),
    "gaussian": _gaussian,
}
