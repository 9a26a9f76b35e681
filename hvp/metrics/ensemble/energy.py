"""Energy score of whole frames: the CRPS of vectors."""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from hvp.metrics.ensemble.kernel_score import KernelScore


@dataclasses.dataclass(frozen=True)
class SquaredDistances:
    """Sums of squared differences between frames, float64.

    Attributes:
        to_truth: `(frames, samples)`.
        between: `(frames, samples, samples)`.
    """

    to_truth: tf.Tensor
    between: tf.Tensor


def squared_distances(truth: tf.Tensor, samples: tf.Tensor) -> SquaredDistances:
    """All distances among the samples of a frame and its truth, by inner products.

    The differences themselves, which scoringrules forms, would take samples times the memory.
    Products are of errors, in float64, so that samples that nearly agree keep their distance.

    Args:
        truth: `(frames, values)`.
        samples: `(samples, frames, values)`.
    """
    errors = tf.transpose(tf.cast(samples - truth, tf.float64), (1, 0, 2))
    products = tf.matmul(errors, errors, transpose_b=True)  # (frames, samples, samples)
    squares = tf.linalg.diag_part(products)
    between = squares[:, :, None] + squares[:, None] - 2.0 * products
    return SquaredDistances(squares, tf.maximum(between, 0.0))


def energy_score(distances: SquaredDistances, values: int = 1) -> KernelScore:
    """Fair energy score E|X - y| - E|X - X'| / 2 with Euclidean norms.

    Gneiting and Raftery, JASA 2007, equation 22.

    Args:
        distances: of `squared_distances`.
        values: a frame's; distances are divided by its square root, so that the score is in grey
            levels and does not grow with the frame. 1 leaves them as they are.

    Returns:
        `(frames,)` each.
    """
    scale = tf.cast(values, tf.float64) ** -0.5
    to_truth = scale * tf.reduce_mean(tf.sqrt(distances.to_truth), 1)
    count = distances.to_truth.shape[1]
    if count == 1:
        return KernelScore(to_truth, tf.zeros_like(to_truth))
    between = tf.reduce_sum(tf.sqrt(distances.between), (1, 2)) / (count * (count - 1))
    return KernelScore(to_truth, scale * between)
