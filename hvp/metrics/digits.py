"""Whether a predicted digit is still the true one: read by a classifier of the embedded digits."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import tensorflow as tf

from hvp.digits import CANVAS, DIGIT_SIZE, embedded_digits, embedded_labels
from hvp.metrics._frames import checked, clipped

CLASSES = 10
CANVASES = (CANVAS, 40)  # `data.canvas` of frames that are read
SHARPNESS = 20.0  # of the kernel: how fast it falls with the distance between two digits
RIDGE = 0.1
FAINT = 1e-6  # a frame's ink below which there is nothing to read


def digit(true: tf.Tensor, pred: tf.Tensor, convention: str = "default") -> tf.Tensor:
    """1 where the digit that is read in a predicted frame is the one read in the true frame.

    For frames with one digit, as `data.dataset: moving_mnist` with `num_digits: 1` draws them of
    the digits that ship with hvp.

    Args:
        true, pred: `(..., time, height, width, channels)`, float in [0, 1]; leading axes broadcast.
        convention: `default` is the only one.

    Returns:
        `(..., time)`, float32: 1 or 0.
    """
    if convention != "default":
        raise ValueError(f"digit has no convention {convention!r}; valid: default")
    true, pred = checked(true, pred)
    return tf.cast(tf.equal(read_digits(true), read_digits(clipped(pred))), tf.float32)


def read_digits(frames: tf.Tensor) -> tf.Tensor:
    """The digit in each frame, 0 to 9.

    The frame is moved until its ink is centred; kernel ridge regression on the training digits, as
    large as `CANVASES` make them, decides. It is right for 95 % of the test digits.

    Args:
        frames: `(..., height, width, channels)`, float in [0, 1], with one digit each.

    Returns:
        `(...)`, int32.
    """
    height, width = frames.shape[-3:-1]
    grey = tf.reduce_mean(tf.reshape(frames, (-1, height, width, frames.shape[-1])), -1)
    examples, weights = _classifier(height, width)
    scores = tf.matmul(_kernel(_patches(grey), examples), weights)  # (n, classes)
    return tf.reshape(tf.argmax(scores, -1, tf.int32), tf.shape(frames)[:-3])


@lru_cache(maxsize=4)
def _classifier(height: int, width: int) -> tuple[np.ndarray, np.ndarray]:
    """Patches of the training digits `(n, pixels)` and their weights `(n, 10)`."""
    with tf.init_scope():
        drawn = [_drawn(canvas, height, width) for canvas in CANVASES]
        examples = _patches(tf.concat(drawn, 0))
        labels = np.tile(embedded_labels("train"), len(CANVASES))
        kernel = _kernel(examples, examples) + RIDGE * tf.eye(len(examples))
        weights = tf.linalg.solve(kernel, 2 * tf.one_hot(labels, CLASSES) - 1)
        return examples.numpy(), weights.numpy()


def _drawn(canvas: int, height: int, width: int) -> tf.Tensor:
    """The training digits in the middle of frames `(examples, height, width)`."""
    digits = tf.constant(embedded_digits("train"), tf.float32)[..., None] / 255
    before = (canvas - DIGIT_SIZE) // 2
    after = canvas - DIGIT_SIZE - before
    digits = tf.pad(digits, ((0, 0), (before, after), (before, after), (0, 0)))
    # Every second one a pixel further, as digits lie between the pixels of smaller frames too.
    odd = (tf.range(len(digits)) % 2 == 1)[:, None, None, None]
    digits = tf.where(odd, tf.roll(digits, (1, 1), (1, 2)), digits)
    return tf.image.resize(digits, (height, width), method="area")[..., 0]


def _kernel(digits: tf.Tensor, examples: tf.Tensor) -> tf.Tensor:
    """How alike vectors of length 1 are: `(n, pixels)` and `(m, pixels)` to `(n, m)`."""
    return tf.exp(SHARPNESS * (tf.matmul(digits, examples, transpose_b=True) - 1))


def _patches(frames: tf.Tensor) -> tf.Tensor:
    """The digit of each frame `(n, height, width)`, its ink centred, as vectors of length 1."""
    height, width = frames.shape[1:]
    ink = tf.reduce_sum(frames, (1, 2)) + FAINT
    y = tf.reduce_sum(frames * tf.range(height, dtype=tf.float32)[:, None], (1, 2)) / ink
    x = tf.reduce_sum(frames * tf.range(width, dtype=tf.float32), (1, 2)) / ink
    size = (-(-DIGIT_SIZE * height // min(CANVASES)), -(-DIGIT_SIZE * width // min(CANVASES)))
    zero, one = tf.zeros_like(x), tf.ones_like(x)
    left, top = x - (size[1] - 1) / 2, y - (size[0] - 1) / 2
    patches = tf.raw_ops.ImageProjectiveTransformV3(
        images=frames[..., None],
        transforms=tf.stack([one, zero, left, zero, one, top, zero, zero], 1),
        output_shape=tf.constant(size),
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return tf.math.l2_normalize(tf.reshape(patches, (-1, size[0] * size[1])), -1)
