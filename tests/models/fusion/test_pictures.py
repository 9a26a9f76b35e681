"""Edge maps, segmentation and fusion."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image
from scipy.ndimage import binary_dilation
from skimage.data import camera, coins
from skimage.feature import canny

from hvp.models.fusion.config import PictureSettings
from hvp.models.fusion.edges import edge_maps
from hvp.models.fusion.pictures import make_pictures
from hvp.models.fusion.segmentation import find_regions, palette, quantize, render


def photographs():
    """Two real grey pictures, `(2, 192, 192, 1)` in [0, 1]."""
    pictures = [np.asarray(Image.fromarray(p()).resize((192, 192))) for p in (camera, coins)]
    return (np.stack(pictures)[..., None] / 255).astype(np.float32)


def within_one_pixel(found, wanted):
    """Share of `found` edge pixels that have a `wanted` one in their 3x3 neighbourhood."""
    return (found & binary_dilation(wanted, np.ones((3, 3)))).sum() / found.sum()


@pytest.mark.parametrize(("sigma", "low", "high"), [(1.0, 0.1, 0.2), (2.0, 0.1, 0.3)])
def test_edges_agree_with_scikit_image(sigma, low, high):
    images = photographs()
    ours = edge_maps(images, sigma, low, high).numpy()[..., 0].astype(bool)
    for edges, image in zip(ours, images[..., 0], strict=True):
        theirs = canny(image, sigma, low, high, mode="nearest")
        assert edges.sum() > 1000
        assert within_one_pixel(edges, theirs) > 0.97
        assert within_one_pixel(theirs, edges) > 0.97


def test_edges_do_not_depend_on_the_batch_and_take_colour():
    images = photographs()
    both = edge_maps(images)
    np.testing.assert_array_equal(both[1], edge_maps(images[1:])[0])
    np.testing.assert_array_equal(both, edge_maps(np.repeat(images, 3, axis=-1)))
    videos = edge_maps(images[:, None])
    assert videos.shape == (2, 1, 192, 192, 1)
    np.testing.assert_array_equal(both, videos[:, 0])


def squares(size=24):
    """Two videos of three frames: grey squares of levels 0.5 and 0.9 on black, moving."""
    videos = np.zeros((2, 3, size, size, 1), np.float32)
    for t in range(3):
        videos[0, t, 4:10, 2 + t : 8 + t] = 0.5
        videos[0, t, 14:16, 4:6] = 0.9  # small: 4 of 576 pixels
        videos[1, t, 2:20, 3:20] = 0.9
    return videos


def test_regions_are_found_ordered_and_repeatable():
    videos = squares()
    regions = find_regions(videos, 3, seed=3)
    np.testing.assert_allclose(regions[0, :, 0], [0, 0.5, 0.9], atol=1e-6)
    np.testing.assert_array_equal(regions, find_regions(videos, 3, seed=3))
    np.testing.assert_allclose(regions[1:], find_regions(videos[1:], 3, seed=3), atol=1e-6)
    labels = quantize(videos, regions)
    np.testing.assert_array_equal(labels[0], np.rint(videos[0, ..., 0] * 2.2))
    colours = np.repeat(videos, 3, axis=-1) * np.array([1, 0.5, 0.2], np.float32)
    np.testing.assert_array_equal(labels, quantize(colours, find_regions(colours, 3, seed=3)))


def test_the_palette_is_that_of_davis():
    wanted = [[0, 0, 0], [128, 0, 0], [0, 128, 0], [128, 128, 0], [0, 0, 128], [128, 0, 128]]
    colours = np.rint(palette(256, 3) * 255)
    np.testing.assert_array_equal(colours[:6], wanted)
    np.testing.assert_array_equal(colours[255], [224, 224, 192])
    assert len(np.unique(colours, axis=0)) == 256
    np.testing.assert_allclose(palette(3, 1)[:, 0], [0, 0.5, 1])
    labels = np.array([[0, 2, 5]])
    np.testing.assert_allclose(render(labels, 3, 1)[0, :, 0], [0, 1, 1])  # 5 shares the last colour


@pytest.mark.parametrize("channels", [1, 3])
def test_fusion_is_a_weighted_sum_in_the_range_of_a_frame(channels):
    videos = np.repeat(squares(), channels, axis=-1)
    settings = PictureSettings(regions=3, fusion_weight=0.3)
    made = make_pictures(videos, settings, seed=0)
    assert made.fused.shape == videos.shape
    assert set(np.unique(made.edges)) == {0, 1}
    np.testing.assert_allclose(made.fused * 1.3, made.segmentation + 0.3 * made.edges, atol=1e-6)
    assert 0 <= np.min(made.fused) <= np.max(made.fused) <= 1
    masks = (videos[..., 0] > 0).astype(np.uint8)
    settings = PictureSettings(segmentation="annotations", regions=2)
    drawn = make_pictures(videos, settings, seed=0, masks=masks).segmentation
    np.testing.assert_allclose(np.max(drawn, axis=-1), masks * np.max(palette(2, channels)))
    with pytest.raises(ValueError, match="needs masks"):
        make_pictures(videos, settings, seed=0)


def test_the_future_does_not_change_the_pictures_of_the_context():
    videos = squares()
    settings = PictureSettings(regions=3)
    before = make_pictures(videos[:, :2], settings, seed=0).fused
    videos[:, 2] = np.random.default_rng(0).uniform(size=videos[:, 2].shape)
    np.testing.assert_array_equal(
        before, make_pictures(videos, settings, seed=0, context=2).fused[:, :2]
    )


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"regions": 1}, "regions must be 2 to 256"),
        ({"fusion_weight": -0.1}, "fusion_weight"),
        ({"edge_low": 0.3}, "between 0 and edge_high"),
    ],
)
def test_bad_settings(settings, message):
    with pytest.raises(ValueError, match=message):
        PictureSettings(**settings)
