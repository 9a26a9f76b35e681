"""The Fréchet distance of two sets of features, seen as Gaussians.

Heusel et al., "GANs Trained by a Two Time-Scale Update Rule", NeurIPS 2017, equation 6:
|m_a - m_b|^2 + Tr(C_a + C_b - 2 (C_a C_b)^(1/2)), with unbiased covariances.
"""

from __future__ import annotations

import dataclasses

import numpy as np
import tensorflow as tf

from hvp.tf_gan import tensorflow_gan


@dataclasses.dataclass(frozen=True)
class FeatureStatistics:
    """Count, mean and covariance of features, in float64; memory does not grow with their number.

    Statistics of parts (batches, replicas) are merged; the order matters to rounding only.

    Attributes:
        count: number of feature vectors.
        mean: `(features,)`.
        deviations: `(features, features)`, the sum over vectors of (x - mean)(x - mean)^T. Sums
            about the mean: subtracting large sums of squares would cost digits.

    Example:
        >>> statistics = FeatureStatistics.of(first).merged(FeatureStatistics.of(second))
    """

    count: int
    mean: np.ndarray
    deviations: np.ndarray

    @classmethod
    def of(cls, features: np.ndarray | tf.Tensor) -> FeatureStatistics:
        """Statistics of `(count, features)`."""
        features = np.asarray(features, np.float64)
        if features.ndim != 2:
            raise ValueError(f"features must be (count, features), received {features.shape}")
        mean = features.mean(0) if len(features) else np.zeros(features.shape[1])
        centred = features - mean
        return cls(len(features), mean, centred.T @ centred)

    def merged(self, other: FeatureStatistics) -> FeatureStatistics:
        """Statistics of both sets together (Chan, Golub and LeVeque, 1979)."""
        count = self.count + other.count
        if count == 0:
            return self
        shift = other.mean - self.mean
        return FeatureStatistics(
            count,
            self.mean + shift * (other.count / count),
            self.deviations
            + other.deviations
            + np.outer(shift, shift) * (self.count * other.count / count),
        )

    @property
    def covariance(self) -> np.ndarray:
        """Unbiased, `(features, features)`; a `ValueError` for fewer than two vectors."""
        if self.count < 2:
            raise ValueError(f"a covariance needs at least two feature vectors, found {self.count}")
        return self.deviations / (self.count - 1)


def frechet_distance(
    activations_a: np.ndarray | tf.Tensor, activations_b: np.ndarray | tf.Tensor
) -> float:
    """Distance of two sets of activations, `(count, features)` each, in float64.

    Biased upward for few activations: compare only distances of equal counts.

    Raises:
        ValueError: for fewer than two activations, or different numbers of features.
    """
    a, b = np.asarray(activations_a, np.float64), np.asarray(activations_b, np.float64)
    if a.ndim != 2 or b.ndim != 2 or a.shape[1] != b.shape[1] or min(len(a), len(b)) < 2:
        raise ValueError(
            "activations must be (at least two, features) with the same features, received "
            f"{a.shape} and {b.shape}"
        )
    with tf.device("/CPU:0"):  # a GPU's singular value decomposition is slower
        distance = tensorflow_gan().eval.frechet_classifier_distance_from_activations(a, b)
    return float(distance)


def frechet_distance_of_statistics(a: FeatureStatistics, b: FeatureStatistics) -> float:
    """The distance that `frechet_distance` gives for the activations behind the statistics."""
    if a.mean.shape != b.mean.shape:
        raise ValueError(f"the statistics are of {a.mean.size} and {b.mean.size} features")
    covariance_a, covariance_b = a.covariance, b.covariance
    with tf.device("/CPU:0"):
        root_trace = tensorflow_gan().eval.classifier_metrics.trace_sqrt_product(
            tf.constant(covariance_a), tf.constant(covariance_b)
        )
    traces = np.trace(covariance_a) + np.trace(covariance_b) - 2 * float(root_trace)
    return float(np.sum(np.square(a.mean - b.mean)) + traces)
