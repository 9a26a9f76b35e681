"""DiffAugment (Zhao et al. 2020) for frames and videos: what a discriminator sees is varied."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import tensorflow as tf

SHIFT, CUT = 0.125, 0.5  # of height and width: the longest translation, the size of the hole

Draws = Mapping[str, tf.Tensor]


def draw(
    policies: Sequence[str], batch: int | tf.Tensor, height: int, width: int, seed: tf.Tensor
) -> dict[str, tf.Tensor]:
    """Random parameters, one of each kind an example.

    Args:
        policies: of `color`, `translation`, `cutout`, `flip`.
        batch: number of examples.
        height, width: of the frames.
        seed: shape `(2,)`.

    Returns:
        Tensors `(batch,)`: float32 `brightness` in [-0.5, 0.5), `saturation` in [0, 2), `contrast`
        in [0.5, 1.5); int32 `translation_h`, `translation_w`, `offset_h`, `offset_w`, `flip`.
    """
    seeds = iter(tf.unstack(tf.random.split(seed, 8)))

    def uniform(low: float, high: float) -> tf.Tensor:
        return tf.random.stateless_uniform((batch,), next(seeds), low, high)

    def integer(low: int, high: int) -> tf.Tensor:
        """From `low` to `high`, both included."""
        return tf.random.stateless_uniform((batch,), next(seeds), low, high + 1, tf.int32)

    draws: dict[str, tf.Tensor] = {}
    if "color" in policies:
        draws["brightness"] = uniform(-0.5, 0.5)
        draws["saturation"] = uniform(0.0, 2.0)
        draws["contrast"] = uniform(0.5, 1.5)
    for name, size in (("h", height), ("w", width)):
        if "translation" in policies:
            far = int(size * SHIFT + 0.5)
            draws[f"translation_{name}"] = integer(-far, far)
        if "cutout" in policies:
            hole = int(size * CUT + 0.5)
            draws[f"offset_{name}"] = integer(0, size - hole % 2)
    if "flip" in policies:
        draws["flip"] = integer(0, 1)
    return draws


def apply(x: tf.Tensor, draws: Draws, contrast_by_column: bool = False) -> tf.Tensor:
    """Augments frames or videos; all frames of a video alike.

    Every step is linear in `x`, and differentiable as often as need be.

    Args:
        x: `(batch, height, width, channels)` or `(batch, time, height, width, channels)`, about
            [-1, 1].
        draws: of `draw`; what is absent is not done.
        contrast_by_column: change a video's contrast around the mean of each column of pixels
            instead of its one mean: a slip of the published code.

    Returns:
        The shape of `x`.
    """
    single = x.shape.rank == 4
    if single:
        x = x[:, None]
    if "brightness" in draws:
        x = x + _per_example(draws["brightness"])
    if "saturation" in draws:
        grey = tf.reduce_mean(x, axis=-1, keepdims=True)
        x = (x - grey) * _per_example(draws["saturation"]) + grey
    if "contrast" in draws:
        axes = (1, 2, 4) if contrast_by_column and not single else (1, 2, 3, 4)
        mean = tf.reduce_mean(x, axis=axes, keepdims=True)
        x = (x - mean) * _per_example(draws["contrast"]) + mean
    height, width = x.shape[2:4]
    if "translation_h" in draws:
        x = _permute(x, _shifted(height, draws["translation_h"]), "bij,btjwc->btiwc")
        x = _permute(x, _shifted(width, draws["translation_w"]), "bij,bthjc->bthic")
    if "offset_h" in draws:
        rows, columns = _hole(height, draws["offset_h"]), _hole(width, draws["offset_w"])
        kept = 1.0 - rows[:, :, None] * columns[:, None, :]  # (batch, height, width)
        x = x * tf.cast(kept, x.dtype)[:, None, :, :, None]
    if "flip" in draws:
        flipped = _per_example(draws["flip"])
        x = tf.where(tf.cast(flipped, tf.bool), tf.reverse(x, [3]), x)
    return x[:, 0] if single else x


def _per_example(values: tf.Tensor) -> tf.Tensor:
    return tf.reshape(values, (-1, 1, 1, 1, 1))


def _shifted(size: int, shift: tf.Tensor) -> tf.Tensor:
    """`(batch, size, size)` that brings position i + shift to i."""
    positions = tf.range(size)
    wanted = positions[None, :, None] + shift[:, None, None]
    return tf.cast(positions[None, None, :] == wanted, tf.float32)


def _permute(x: tf.Tensor, matrices: tf.Tensor, equation: str) -> tf.Tensor:
    return tf.einsum(equation, tf.cast(matrices, x.dtype), x)


def _hole(size: int, offset: tf.Tensor) -> tf.Tensor:
    """`(batch, size)`: 1 within the hole, whose rows beyond the border fall onto it."""
    hole = int(size * CUT + 0.5)
    places = tf.range(hole)[None] + offset[:, None] - hole // 2
    places = tf.clip_by_value(places, 0, size - 1)
    return tf.reduce_max(tf.one_hot(places, size), axis=1)
