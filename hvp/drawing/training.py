"""What TensorBoard shows of a model while it trains: predictions beside the truth, videos."""

from __future__ import annotations

import numpy as np

from hvp.models.base import VideoModel
from hvp.pixels import to_uint8

GAP = 2  # white pixels between panels


def prediction_frames(
    model: VideoModel,
    videos: np.ndarray,
    context: int,
    num_samples: int,
    seed: int,
    masks: np.ndarray | None = None,
) -> np.ndarray:
    """Truth, open-loop predictions and the first one's error, side by side, one row a video.

    Args:
        videos: `(batch, time, height, width, channels)`, float32 in [0, 1]; the first `context`
            frames are shown to the model, and shown in every panel.
        num_samples: predictions per video.
        masks: `(batch, time, height, width)`, of a model that needs them.

    Returns:
        uint8 `(time, rows, columns, channels)`. The error panel shows (difference + 1) / 2: grey is
        right, bright is predicted too dark.
    """
    horizon = videos.shape[1] - context
    masks = masks[:, :context] if model.needs_masks and masks is not None else None
    samples = np.asarray(
        model.rollout(videos[:, :context], horizon, num_samples, seed, masks=masks)
    )
    known = np.broadcast_to(videos[:, :context], (num_samples, *videos[:, :context].shape))
    samples = np.concatenate([known, samples], axis=2)  # (samples, batch, time, h, w, c)
    error = (videos - samples[0] + 1) / 2
    panels = np.stack([videos, *samples, error])  # (panels, batch, time, h, w, c)
    panels = np.pad(panels, ((0, 0), (0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=1)
    count, batch, time, height, width, channels = panels.shape
    tiled = panels.transpose(2, 1, 3, 0, 4, 5).reshape(
        time, batch * height, count * width, channels
    )[:, :-GAP, :-GAP]
    return to_uint8(tiled)


def video_grid(videos: np.ndarray) -> np.ndarray:
    """Videos side by side in a grid about as wide as high.

    Args:
        videos: `(videos, time, height, width, channels)`, float32 in [0, 1].

    Returns:
        uint8 `(time, rows, columns, channels)`, white between the videos.
    """
    columns = int(np.ceil(np.sqrt(len(videos))))
    videos = np.pad(videos, ((0, -len(videos) % columns), *[(0, 0)] * 4), constant_values=1)
    videos = np.pad(videos, ((0, 0), (0, 0), (0, GAP), (0, GAP), (0, 0)), constant_values=1)
    _, time, height, width, channels = videos.shape
    tiled = videos.reshape(-1, columns, time, height, width, channels)
    tiled = tiled.transpose(2, 0, 3, 1, 4, 5).reshape(time, -1, columns * width, channels)
    return to_uint8(tiled[:, :-GAP, :-GAP])
