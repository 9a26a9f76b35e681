"""Decoder: latent states of the lowest level to distributions of frames."""

from __future__ import annotations

from typing import Any

import tensorflow as tf
from keras import layers

from hvp.layers.transposed import DoublingConvolution
from hvp.losses.likelihoods import frame_distribution, output_activation
from hvp.models.hierarchical.encoder import ResidualCell, leaky_relu


def decoder_kernels(size: int) -> list[int]:
    """Kernels of the stride-2 transposed convolutions that grow 1 pixel to `size`.

    64 (published): 1 -> 5 -> 13 -> 30 -> 64. 128: ... 30 -> 62 -> 128. 32: 1 -> 5 -> 14 -> 32.
    """
    return {
        32: [5, 6, 6],
        64: [5, 5, 6, 6],
        128: [5, 5, 6, 4, 6],
        256: [5, 5, 6, 4, 4, 6],
    }[size]


class Decoder(layers.Layer):
    """A dense layer and transposed convolutions; a residual cell before the last one.

    Args:
        size: frame height and width, one of 32, 64, 128, 256.
        channels: of the frames.
        base_filters: filters before the output (32 in the paper); twice as many one stage up.
        dense_size: width of the dense layer (1024 in the paper).
        residual_cell: whether to have the residual cell.
        likelihood, stddev: of a frame's values, as `frame_distribution` takes them.
    """

    def __init__(
        self,
        size: int,
        channels: int,
        base_filters: int,
        dense_size: int,
        residual_cell: bool,
        likelihood: str,
        stddev: float,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.likelihood, self.stddev = likelihood, stddev
        self.dense = layers.Dense(dense_size, name="dense")
        kernels = decoder_kernels(size)
        # 4, 2, 1 times the base, as published; further stages of large frames stay at the base.
        filters = [base_filters * m for m in (4, 2, 1, 1, 1)][: len(kernels) - 1]
        filters = filters if size > 32 else [base_filters * 2, base_filters]
        self.convolutions = [
            DoublingConvolution(f, k, activation=leaky_relu, name=f"conv_{i}")
            for i, (f, k) in enumerate(zip(filters, kernels[:-1], strict=True))
        ]
        self.residual_cell = ResidualCell(filters[-1], name="residual") if residual_cell else None
        self.output_convolution = DoublingConvolution(
            channels,
            kernels[-1],
            activation=output_activation(likelihood),
            name="output",
        )

    def build(self, shape: tuple[int | None, ...]) -> None:
        self.dense.build(shape)
        frames = (None, 1, 1, self.dense.units)
        for convolution in self.convolutions:
            convolution.build(frames)
            frames = convolution.compute_output_shape(frames)
        if self.residual_cell is not None:
            self.residual_cell.build(frames)
        self.output_convolution.build(frames)

    def call(self, states: tf.Tensor) -> tf.Tensor:
        """`(n, state) -> (n, height, width, channels)`, float32: what `distribution` takes."""
        x = self.dense(states)[:, None, None, :]  # (n, 1, 1, dense)
        for convolution in self.convolutions:
            x = convolution(x)
        if self.residual_cell is not None:
            x = self.residual_cell(x)
        return tf.cast(self.output_convolution(x), tf.float32)

    def distribution(self, outputs: tf.Tensor) -> Any:
        """The `tfd.Independent` of frames that outputs `(..., height, width, channels)` give."""
        return frame_distribution(self.likelihood, outputs, self.stddev)
