"""Rollouts and reconstructions part by part: clocks, noise, programs; families without parts."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf

from hvp.models import SVGLP, FusionModel, HierarchicalModel
from hvp.models.base import VideoModel
from hvp.models.seeds import sample_noise

TINY = {"enc_dense_embed_size": 8, "cell_stoch_size": 3, "cell_deter_size": 8,
        "cell_embed_size": 8, "channels_mult": 0.125}  # fmt: skip


def hierarchical(levels=3, factor=3, **settings):
    sizes = {"height": 32, "width": 32, "levels": levels, "tmp_abs_factor": factor}
    return HierarchicalModel(**{**sizes, **TINY, **settings})


def svg_lp(**settings):
    sizes = {"height": 16, "width": 16, "code_size": 8, "recurrent_size": 8, "latent_size": 2}
    return SVGLP(**{**sizes, **settings})


def videos(model, count=2, frames=8):
    shape = (count, frames, *model.frame_shape)
    return np.random.default_rng(0).random(shape, np.float32)


@pytest.mark.parametrize(("context", "part"), [(4, 2), (9, 9), (14, 20)])
def test_levels_keep_their_clock_wherever_the_context_ends(context, part, eagerly):
    model = hierarchical()
    assert (model.block, model.clocked) == (9, True)
    video = videos(model, frames=context)
    whole = model.rollout(video, 41, 2, seed=3, clip=False)
    parts = list(model.rollout_parts(video, 41, 2, seed=3, clip=False, part=part))
    np.testing.assert_allclose(tf.concat(parts, 2), whole, atol=2e-5)


def test_one_program_serves_all_parts_of_a_length():
    model = hierarchical(2, 2)
    video = videos(model)
    for _ in range(2):
        sizes = [x.shape[2] for x in model.rollout_parts(video, 43, seed=0, part=8)]
        assert sizes == [8] * 5 + [3]
    assert model._decode_rollout.experimental_get_tracing_count() == 1
    assert model._decode_later.experimental_get_tracing_count() == 2  # and of the last part's


def test_forgotten_samples_follow_from_the_whole_length():
    model = hierarchical(3, 2, cell_reset_state=True)
    whole = model.rollout(videos(model), 11, seed=0)
    parts = list(model.rollout_parts(videos(model), 11, seed=0, part=4))
    assert [x.shape[2] for x in parts] == [4, 4, 3]
    np.testing.assert_array_equal(tf.concat(parts, 2), whole)


@pytest.mark.parametrize(("context", "last_frame_skip"), [(1, False), (4, False), (4, True)])
def test_skips_of_svg_lp(context, last_frame_skip, eagerly):
    model = svg_lp(last_frame_skip=last_frame_skip, context=3)
    video = videos(model, frames=context)
    whole = model.rollout(video, 7, 2, seed=3)
    parts = list(model.rollout_parts(video, 7, 2, seed=3, part=3))
    np.testing.assert_allclose(tf.concat(parts, 2), whole, atol=1e-5)


def test_masks_are_of_the_first_part_alone():
    model = FusionModel(
        height=16, width=16, frames=2, step=2, upscale_factor=1, segmentation="annotations",
        predictor_filters=[4], translator_filters=[4], discriminator_filters=[4, 4],
    )  # fmt: skip
    video, masks = videos(model, frames=3), np.zeros((2, 3, 16, 16), np.uint8)
    masks[..., 8:] = 1
    whole = model.rollout(video, 7, seed=0, masks=masks)
    parts = list(model.rollout_parts(video, 7, seed=0, masks=masks, part=2))
    np.testing.assert_allclose(tf.concat(parts, 2), whole, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "part"),
    [
        (hierarchical, 5),
        (lambda: hierarchical(cell_reset_state=True), 5),
        (lambda: svg_lp(context=3), 1),
        (lambda: svg_lp(context=3), 5),
        (lambda: svg_lp(last_frame_skip=True), 5),
    ],
)
def test_parts_of_a_reconstruction_are_the_whole(make, part, eagerly):
    model = make()
    video, seeds = videos(model, frames=22), tf.constant([[1, 2], [3, 4]])
    whole = model.reconstruct(video, seeds)
    firsts, parts = zip(*model.reconstruct_parts(tf.constant(video), seeds, part), strict=True)
    assert firsts[0] == 22 - whole.frames.shape[1]
    frames = tf.concat([x.frames for x in parts], 1)
    np.testing.assert_allclose(frames, whole.frames, atol=2e-5)
    for level, kl in enumerate(whole.kl):
        found = tf.concat([x.kl[level] for x in parts], 1)
        np.testing.assert_allclose(found, kl, rtol=1e-3, atol=1e-5)


def test_noise_follows_from_the_frame():
    seeds = tf.constant([[1, 2], [3, 4]])
    whole = sample_noise(seeds, 3, 1, (11, 5))
    for first in (0, 4, tf.constant(7)):
        np.testing.assert_array_equal(
            sample_noise(seeds, 3, 1, (4, 5), first), whole[:, first : first + 4]
        )


class Counting(VideoModel):
    """Does not say how to go on: its frames come from one rollout."""

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        levels = tf.reshape(tf.range(horizon, dtype=tf.float32) / 10, (-1, 1, 1, 1))
        return tf.ones((1, len(context), horizon, *self.frame_shape)) * levels


def test_a_family_without_a_block_is_cut():
    model = Counting(height=8, width=8)
    parts = list(model.rollout_parts(videos(model), 7, num_samples=2, part=3))
    assert [x.shape for x in parts] == [(2, 2, n, 8, 8, 1) for n in (3, 3, 1)]
    np.testing.assert_array_equal(
        tf.concat(parts, 2), model.rollout(videos(model), 7, num_samples=2)
    )
    assert list(model.reconstruct_parts(videos(model), tf.zeros((2, 2), tf.int32))) == []
