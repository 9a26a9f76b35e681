"""`hvp fuse`: shows the fusion pictures of a video."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import TYPE_CHECKING

from hvp.commands.options import add_count, add_out, add_seed, watched
from hvp.errors import UserError
from hvp.models.fusion.config import PictureSettings

if TYPE_CHECKING:
    import numpy as np

    from hvp.models.fusion.pictures import Pictures

HELP = (
    "Draws what the synthesis network is given beside the frames: edges, segmentation and the "
    "fusion picture of both, side by side in a GIF."
)
DEFAULTS = PictureSettings()
FPS = 10


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("--input", required=True, help="a video, GIF, array or folder of frames")
    add_out(parser, "GIF: frame, edges, segmentation and fusion picture", required=True)
    add("--masks", help="folder of object masks (.png), one a frame, instead of found regions")
    add("--regions", type=int, default=DEFAULTS.regions, help="of the segmentation (%(default)s)")
    add(
        "--weight",
        type=float,
        default=DEFAULTS.fusion_weight,
        help="of the edges in the fusion picture (%(default)s)",
    )
    add(
        "--sigma",
        type=float,
        default=DEFAULTS.edge_sigma,
        help="smoothing before edges are sought, pixels (%(default)s)",
    )
    add(
        "--thresholds",
        type=float,
        nargs=2,
        metavar=("LOW", "HIGH"),
        default=(DEFAULTS.edge_low, DEFAULTS.edge_high),
        help="of the gradient at edges (%(default)s)",
    )
    add_count(parser, "--height", "resize to this height; the width follows")
    add_count(parser, "--max-frames", "frames from the start")
    add_seed(parser, "of the search for regions", default=0)


def run(arguments: argparse.Namespace) -> None:
    """Writes a GIF of a video with its maps beside it."""
    if Path(arguments.out).suffix.lower() != ".gif":
        raise UserError(f"--out {arguments.out}: the pictures are written as .gif")
    settings = _settings(arguments)

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import numpy as np

    from hvp.data.gif_files import write_gif
    from hvp.models.fusion.pictures import make_pictures

    frames, masks = _read(arguments)
    print(f"finding edges and regions of {len(frames)} frames")
    made = make_pictures(
        frames[None].astype(np.float32) / 255,
        settings,
        arguments.seed,
        None if masks is None else masks[None],
    )
    write_gif(arguments.out, _panels(frames, made), FPS)
    print(f"{arguments.out}: {len(frames)} frames; frame, edges, segmentation, fusion picture")


def _settings(arguments: argparse.Namespace) -> PictureSettings:
    low, high = arguments.thresholds
    try:
        return PictureSettings(
            segmentation="quantize" if arguments.masks is None else "annotations",
            regions=arguments.regions,
            fusion_weight=arguments.weight,
            edge_sigma=arguments.sigma,
            edge_low=low,
            edge_high=high,
        )
    except ValueError as error:
        raise UserError(f"fuse: {error}") from None


def _read(arguments: argparse.Namespace) -> tuple[np.ndarray, np.ndarray | None]:
    """Frames, uint8 `(time, height, width, 3)`, and their masks, in the size asked for."""
    import numpy as np

    from hvp.data.masks import check_masks, fit_mask, masks_of
    from hvp.data.video_io import fit_frame, read_video

    frames = read_video(arguments.input, max_frames=arguments.max_frames)
    masks = None
    if arguments.masks is not None:
        if Path(arguments.input).is_dir():
            check_masks(Path(arguments.input), Path(arguments.masks))
        masks = masks_of(frames, arguments.masks, whole=arguments.max_frames is None)
    if arguments.height is not None:
        height = arguments.height
        width = max(1, round(height * frames.shape[2] / frames.shape[1]))
        frames = np.stack([fit_frame(frame, height, width, None) for frame in frames])
        if masks is not None:
            masks = np.stack([fit_mask(mask, height, width) for mask in masks])
    return frames, masks


def _panels(frames: np.ndarray, made: Pictures) -> np.ndarray:
    """Frames and all their maps side by side: uint8 `(time, height, width, 3)`."""
    import numpy as np

    from hvp.drawing.frames import CONTEXT_COLOUR, rgb, side_by_side
    from hvp.pixels import to_uint8

    maps = {"edges": made.edges, "segmentation": made.segmentation, "fusion": made.fused}
    videos = {"frame": rgb(frames)}
    for name, video in maps.items():
        videos[name] = rgb(to_uint8(np.asarray(video)[0]))
    return np.stack(
        [
            side_by_side(
                {name: video[t] for name, video in videos.items()},
                [CONTEXT_COLOUR] * len(videos),
                f"frame {t + 1}",
            )
            for t in watched(range(len(frames)), len(frames), "frame")
        ]
    )
