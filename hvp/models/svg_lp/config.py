"""The `model` section of SVG-LP."""

from __future__ import annotations

from typing import Literal

from hvp.config.fields import Count, Depth, NonNegative, Size, section


@section(frozen=True)
class SVGLPConfig:
    """Settings of `SVGLP`; defaults are the published ones for Stochastic Moving MNIST."""

    family: Literal["svg_lp"] = "svg_lp"
    """The family that this section belongs to."""
    context: Count = 5
    """Frames after which training keeps the skips as they are."""
    backbone: Literal["dcgan", "vgg"] = "dcgan"
    """Encoder and decoder: dcgan (strided convolutions) or vgg (pooling)."""
    filters: Size = 64
    """Features of the encoder's first stage; later ones have up to eight times as many."""
    code_size: Size = 128
    """Values of a frame's code."""
    latent_size: Size = 10
    """Values of a frame's latent."""
    recurrent_size: Size = 256
    """Units of the recurrent nets."""
    predictor_cells: Depth = 2
    """LSTM cells of the frame predictor."""
    posterior_cells: Depth = 1
    """LSTM cells of the posterior."""
    prior_cells: Depth = 1
    """LSTM cells of the prior."""
    last_frame_skip: bool = False
    """Skips of the newest frame, also of predicted ones."""
    beta: NonNegative = 1e-4
    """Of the KL divergence beside the squared error."""
