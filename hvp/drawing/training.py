"""What TensorBoard shows of a model while it trains: predictions beside the truth, videos."""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from hvp.drawing.frames import BORDER, CAPTION, CONTEXT_COLOUR, PREDICTION_COLOUR, font, rgb
from hvp.models.base import VideoModel
from hvp.pixels import to_uint8

GAP = 2  # white pixels between panels
LEAST_COLUMN = 56  # pixels that a column's name takes


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


def labelled(frames: np.ndarray, num_samples: int, context: int) -> np.ndarray:
    """What `prediction_frames` gives, with a name over each column and the report's colours.

    Args:
        num_samples, context: as there. The line below the names is blue while the model is shown
            frames, orange while it predicts.

    Returns:
        uint8 `(time, height, width, 3)`. Small frames are enlarged, so that the names fit.
    """
    names = ["truth", *(f"sample {number + 1}" for number in range(num_samples)), "error"]
    width = (frames.shape[2] + GAP) // len(names)
    scale = max(1, -(-LEAST_COLUMN // width))
    frames = rgb(frames.repeat(scale, 1).repeat(scale, 2))
    headers = []
    for colour in (CONTEXT_COLOUR, PREDICTION_COLOUR):
        header = Image.new("RGB", (frames.shape[2], CAPTION + BORDER), "white")
        draw = ImageDraw.Draw(header)
        for column, name in enumerate(names):
            middle = (column + 0.5) * width * scale
            draw.text((middle, CAPTION // 2), name, "black", font(11), anchor="mm")
        draw.rectangle((0, CAPTION, frames.shape[2], CAPTION + BORDER), fill=colour)
        headers.append(np.asarray(header))
    return np.stack(
        [np.concatenate([headers[t >= context], frame]) for t, frame in enumerate(frames)]
    )


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
