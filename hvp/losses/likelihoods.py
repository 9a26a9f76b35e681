"""Likelihoods of frames: what a decoder's outputs say of a frame, as TFP distributions.

Each is a `tfd.Independent` over whole frames: its batch shape is that of the frames, its events are
`(height, width, channels)`, and `log_prob` sums over their values.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import tensorflow as tf

from hvp import distributions as tfd

STEPS = 255  # between the levels 0, 1/255 ... 1 of 8-bit frames
FRAME_RANK = 3  # height, width, channels


def frame_distribution(likelihood: str, outputs: tf.Tensor, stddev: float = 1.0) -> Any:
    """The distribution of frames that a decoder gives.

    Args:
        likelihood: `normal`, `laplace` or `logistic` (discretised to 8 bits) around the outputs, or
            `bernoulli` of them as logits.
        outputs: `(..., height, width, channels)`.
        stddev: of every value, of all but `bernoulli`; of the logistic before it is discretised.

    Returns:
        A `tfd.Independent` with batch shape `outputs.shape[:-3]`.

    Example:
        >>> frames = frame_distribution("laplace", tf.zeros((2, 5, 32, 32, 1)), stddev=0.1)
        >>> frames.log_prob(video)     # (2, 5), in nats
    """
    return _MAKERS[likelihood](outputs, float(stddev))


def output_activation(likelihood: str) -> str | None:
    """The activation of a decoder's last layer: logits are any numbers, the rest is near [0, 1]."""
    return None if likelihood == "bernoulli" else "tanh"


class NormalFrames(tfd.Independent):
    """Independent normal values of one standard deviation, a number.

    As `tfd.Independent` has it, but squared errors are summed before they are scaled: one pass over
    the frames, and less rounding than a sum of log-densities of 0.92 nats and little more each.
    """

    def _log_prob(self, x: tf.Tensor, **kwargs: Any) -> tf.Tensor:
        stddev = self.distribution.parameters["scale"]
        if not isinstance(stddev, float):  # a copy whose parameters became tensors
            return super()._log_prob(x, **kwargs)
        values = math.prod(self.event_shape)
        error = tf.reduce_sum(tf.square(x - self.distribution.loc), axis=(-3, -2, -1))
        return -(0.5 * error / stddev**2 + 0.5 * values * math.log(2 * math.pi * stddev**2))

    def _mean(self, **kwargs: Any) -> tf.Tensor:
        return self.distribution.loc


class DiscretizedLogistic(tfd.Distribution):
    """A logistic distribution over the 256 levels 0, 1/255 ... 1; the end levels have the tails.

    After Salimans et al., "PixelCNN++" (ICLR 2017), equation 2, with one component.

    Args:
        loc, scale: of the logistic, on the scale of frames in [0, 1].
    """

    def __init__(self, loc: tf.Tensor, scale: tf.Tensor | float, name: str = "DiscretizedLogistic"):
        parameters = {"loc": loc, "scale": scale, "name": name}
        self.loc = tf.convert_to_tensor(loc)
        self.scale = tf.convert_to_tensor(scale, self.loc.dtype)
        super().__init__(
            dtype=self.loc.dtype,
            reparameterization_type=tfd.NOT_REPARAMETERIZED,
            validate_args=False,
            allow_nan_stats=True,
            parameters=parameters,
            name=name,
        )

    @classmethod
    def _parameter_properties(cls, dtype: Any, num_classes: int | None = None) -> dict[str, Any]:
        properties = tfd.ParameterProperties
        return {"loc": properties(), "scale": properties()}

    def _event_shape(self) -> tf.TensorShape:
        return tf.TensorShape([])

    def _event_shape_tensor(self) -> tf.Tensor:
        return tf.constant([], tf.int32)

    def _log_prob(self, x: tf.Tensor) -> tf.Tensor:
        """Of the level nearest to `x`."""
        level = tf.clip_by_value(tf.round(x * STEPS), 0, STEPS)
        low = ((level - 0.5) / STEPS - self.loc) / self.scale
        high = ((level + 0.5) / STEPS - self.loc) / self.scale
        # sigmoid(high) - sigmoid(low) is this product, whose logarithm nothing cancels in:
        # sigmoid(high) sigmoid(-low) (1 - exp(low - high)). The end levels lack their outer edge.
        below, above = level > 0, level < STEPS
        width = tf.math.log(-tf.math.expm1(-1 / (STEPS * self.scale)))
        return (
            tf.where(below & above, width, 0.0)
            - tf.where(above, tf.nn.softplus(-high), 0.0)
            - tf.where(below, tf.nn.softplus(low), 0.0)
        )

    def _sample_n(self, n: tf.Tensor, seed: Any = None) -> tf.Tensor:
        samples = tfd.Logistic(self.loc, self.scale).sample(n, seed=seed)
        return tf.round(tf.clip_by_value(samples, 0.0, 1.0) * STEPS) / STEPS

    def _mean(self) -> tf.Tensor:
        """Of the logistic moved into [0, 1], within half a level of the discretised one's."""
        ends = tf.nn.softplus(self.loc / self.scale) - tf.nn.softplus((self.loc - 1) / self.scale)
        return self.scale * ends


def _normal(outputs: tf.Tensor, stddev: float) -> NormalFrames:
    return NormalFrames(tfd.Normal(outputs, stddev), FRAME_RANK)


def _laplace(outputs: tf.Tensor, stddev: float) -> Any:
    return tfd.Independent(tfd.Laplace(outputs, stddev / math.sqrt(2)), FRAME_RANK)


def _bernoulli(outputs: tf.Tensor, stddev: float) -> Any:
    return tfd.Independent(tfd.Bernoulli(logits=outputs, dtype=outputs.dtype), FRAME_RANK)


def _logistic(outputs: tf.Tensor, stddev: float) -> Any:
    scale = stddev * math.sqrt(3) / math.pi
    return tfd.Independent(DiscretizedLogistic(outputs, scale), FRAME_RANK)


_MAKERS: dict[str, Callable[[tf.Tensor, float], Any]] = {
    "normal": _normal,
    "laplace": _laplace,
    "bernoulli": _bernoulli,
    "logistic": _logistic,
}
