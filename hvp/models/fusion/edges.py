"""Edge maps, the condition x of the translator: Canny's detector, batched in TensorFlow.

J. Canny, "A Computational Approach to Edge Detection", IEEE PAMI 8(6), 1986: Gaussian smoothing,
gradient, non-maximum suppression along it, double threshold with hysteresis. Thresholds and details
are scikit-image's (`skimage.feature.canny`), on the magnitude of the Sobel gradient of luma in
[0, 1]; a test compares the two.
"""

from __future__ import annotations

import math

import numpy as np
import tensorflow as tf

from hvp.data.video_io import LUMA

SOBEL = np.outer([1, 2, 1], [-1, 0, 1]).astype(np.float32)  # along width; sums to 8 for a step of 1

# Both sides of a perfect step have the same gradient: both are edges, whatever the rounding.
TIE = 1 - 1e-5


def luma(frames: tf.Tensor) -> tf.Tensor:
    """Grey of `(..., 1 or 3)` frames: `(..., 1)`."""
    if frames.shape[-1] == 1:
        return frames
    return tf.reduce_sum(frames * LUMA, axis=-1, keepdims=True)


def edge_maps(
    frames: tf.Tensor, sigma: float = 1.0, low: float = 0.1, high: float = 0.2
) -> tf.Tensor:
    """Canny edges of frames.

    Args:
        frames: `(..., height, width, 1 or 3)`, float32 in [0, 1].
        sigma: of the Gaussian smoothing, pixels; 0 for none.
        low, high: thresholds of the Sobel magnitude. Weaker than `low` is no edge, stronger than
            `high` is one; what lies between is an edge where it touches one.

    Returns:
        `(..., height, width, 1)`, float32, 1 on edges and 0 elsewhere. The outermost pixels have no
        full neighbourhood and are never edges.
    """
    shape = tf.shape(frames)
    grey = tf.reshape(luma(frames), (-1, *frames.shape[-3:-1], 1))  # (n, height, width, 1)
    horizontal, vertical = _sobel(gaussian_blur(grey, sigma))
    magnitude = tf.sqrt(tf.square(horizontal) + tf.square(vertical))
    thin = _is_ridge(magnitude, horizontal, vertical) & _inner_pixels(*frames.shape[-3:-1])
    edges = _hysteresis(thin & (magnitude >= low), thin & (magnitude >= high))
    return tf.reshape(tf.cast(edges, tf.float32), tf.concat([shape[:-1], [1]], 0))


def gaussian_blur(images: tf.Tensor, sigma: float) -> tf.Tensor:
    """Blurs `(n, height, width, channels)`; borders are continued by their outermost pixels."""
    radius = math.ceil(3 * sigma)
    if radius == 0:
        return images
    line = np.exp(-(np.arange(-radius, radius + 1) ** 2) / (2 * sigma**2))
    line = (line / line.sum()).tolist()
    height, width = images.shape[1:3]
    padded = _pad_edge(images, radius)
    rows = tf.add_n([w * padded[:, i : i + height] for i, w in enumerate(line)])
    return tf.add_n([w * rows[:, :, i : i + width] for i, w in enumerate(line)])


def _pad_edge(images: tf.Tensor, width: int) -> tf.Tensor:
    for _ in range(width):  # tf.pad has no mode that repeats the outermost pixel
        images = tf.pad(images, ((0, 0), (1, 1), (1, 1), (0, 0)), mode="SYMMETRIC")
    return images


def _sobel(grey: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Gradient along width and along height, each the shape of `grey`."""
    kernels = np.stack([SOBEL, SOBEL.T], axis=-1)[:, :, None]  # (3, 3, 1, 2)
    both = tf.nn.conv2d(_pad_edge(grey, 1), kernels, strides=1, padding="VALID")
    return both[..., :1], both[..., 1:]


def _is_ridge(magnitude: tf.Tensor, horizontal: tf.Tensor, vertical: tf.Tensor) -> tf.Tensor:
    """Whether no neighbour along the gradient, interpolated between pixels, is stronger."""
    height, width = magnitude.shape[1:3]
    padded = tf.pad(magnitude, ((0, 0), (1, 1), (1, 1), (0, 0)))

    def shifted(down: int, right: int) -> tf.Tensor:
        return padded[:, 1 + down : 1 + down + height, 1 + right : 1 + right + width]

    steep = tf.abs(vertical) > tf.abs(horizontal)  # the gradient is closer to vertical
    larger = tf.maximum(tf.abs(vertical), tf.abs(horizontal))
    smaller = tf.minimum(tf.abs(vertical), tf.abs(horizontal))
    share = tf.math.divide_no_nan(smaller, larger)  # of the diagonal neighbour
    falling = tf.equal(vertical >= 0, horizontal >= 0)  # towards lower right or upper left
    ridge = tf.greater(magnitude, 0)
    for side in (1, -1):
        straight = tf.where(steep, shifted(side, 0), shifted(0, side))
        rising = tf.where(steep, shifted(side, -side), shifted(-side, side))
        diagonal = tf.where(falling, shifted(side, side), rising)
        ridge &= magnitude >= (share * diagonal + (1 - share) * straight) * TIE
    return ridge


def _inner_pixels(height: int, width: int) -> np.ndarray:
    inner = np.zeros((height, width, 1), bool)
    inner[1:-1, 1:-1] = True
    return inner


def _hysteresis(weak: tf.Tensor, strong: tf.Tensor) -> tf.Tensor:
    """The parts of `weak` that are connected, diagonals included, to a pixel of `strong`."""
    weak = tf.cast(weak, tf.float32)

    def grow(edges: tf.Tensor, _: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
        grown = tf.nn.max_pool2d(edges, 3, strides=1, padding="SAME") * weak
        return grown, tf.reduce_any(grown > edges)

    edges, _ = tf.while_loop(
        lambda _, growing: growing, grow, (tf.cast(strong, tf.float32), tf.constant(True))
    )
    return edges > 0
