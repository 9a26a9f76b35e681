"""The translator alone on the real DAVIS sequence."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf

from hvp.config import TrainingConfig
from hvp.data.video_io import read_video
from hvp.metrics import psnr
from hvp.models.fusion.model import FusionModel


@pytest.mark.slow
def test_translator_overfits_the_real_sequence(shared_file):
    sequence = "data/davis2016/JPEGImages/480p/car-shadow"
    frames = read_video(shared_file(sequence, "that a real video is learned"), 64, 112, 3)
    clips = tf.constant(frames.reshape(2, 20, 64, 112, 3).astype("float32") / 255)
    keras.utils.set_random_seed(0)
    model = FusionModel(
        height=64,
        width=112,
        channels=3,
        stage="translator",
        step=4,
        regions=12,
        upscale_factor=1,
        predictor_filters=[4],
        translator_filters=[32, 64, 64, 64],
        discriminator_filters=[16, 32, 32, 32],
        condition_on_previous=False,
        dropout=0.0,
        translator_frames=8,
    )
    model.configure_training(TrainingConfig(learning_rate=2e-3, adam_epsilon=1e-7, clip_norm=None))
    step = tf.function(model.train_step, autograph=False)
    for _ in range(300):
        step(clips)
    pictures = model.pictures(clips)
    translated = model._translate(pictures[:, 1:], clips[:, 0], None)
    assert float(np.mean(psnr(clips[:, 1:], translated))) > 25
