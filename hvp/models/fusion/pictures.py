"""Fusion pictures: what the predictor predicts and the translator turns into frames.

The paper lists a semantic segmentation map s, an edge detection map x, an input fusion picture m;
its code fuses by weighted addition with weight 0.3. That m = s + 0.3 x, the fixed palette of s, and
the division by 1 + 0.3, which keeps m in the range of a frame, are our reading.
"""

from __future__ import annotations

import dataclasses

import tensorflow as tf

from hvp.models.fusion.config import PictureSettings
from hvp.models.fusion.edges import edge_maps
from hvp.models.fusion.segmentation import find_regions, quantize, render
from hvp.models.seeds import Seed


@dataclasses.dataclass(frozen=True)
class Pictures:
    """Fusion pictures of videos, and the maps that they are made of.

    Attributes:
        edges: x, `(batch, time, height, width, 1)`, 0 or 1.
        segmentation: s, `(batch, time, height, width, channels)` in [0, 1].
        fused: m = (s + w x) / (1 + w), the shape of `segmentation`, in [0, 1].
    """

    edges: tf.Tensor
    segmentation: tf.Tensor
    fused: tf.Tensor


def make_pictures(
    frames: tf.Tensor,
    settings: PictureSettings,
    seed: Seed,
    masks: tf.Tensor | None = None,
    context: int | None = None,
) -> Pictures:
    """Makes the fusion pictures of videos.

    Args:
        frames: `(batch, time, height, width, channels)`, float32 in [0, 1].
        settings: see its class.
        seed: of `segmentation: quantize`.
        masks: object labels, integers `(batch, time, height, width)`, for `annotations`.
        context: leading frames that decide which regions `quantize` sees, so that the future does
            not leak into the context's pictures; all by default.
    """
    channels = frames.shape[-1]
    if settings.segmentation == "annotations":
        if masks is None:
            raise ValueError("segmentation by annotations needs masks")
        labels = masks
    else:
        labels = quantize(frames, find_regions(frames[:, :context], settings.regions, seed))
    segmentation = render(labels, settings.regions, channels)
    edges = edge_maps(frames, settings.edge_sigma, settings.edge_low, settings.edge_high)
    weight = settings.fusion_weight
    return Pictures(edges, segmentation, (segmentation + weight * edges) / (1 + weight))
