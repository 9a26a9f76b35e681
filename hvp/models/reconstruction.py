"""What a model with latents makes of a video that it sees whole."""

from __future__ import annotations

from typing import NamedTuple

import tensorflow as tf


class Reconstruction(NamedTuple):
    """What `VideoModel.reconstruct` returns.

    Attributes:
        frames: the reconstruction, `(batch, time, height, width, channels)`, of the last `time`
            frames of the videos.
        kl: KL(posterior || prior) of each level, level 0 first, `(batch, ticks, latents)`, in nats.
    """

    frames: tf.Tensor
    kl: list[tf.Tensor]
