"""`python -m hvp fvd`: its command line."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.config import load_config
from hvp.distances.distance import record_path
from hvp.distances.protocols import VIDEO_PROTOCOLS, find_video_protocol
from hvp.errors import UserError

if TYPE_CHECKING:
    from hvp.config import ExperimentConfig
    from hvp.distances.distance import Clips, RealClips
    from hvp.distances.protocols import VideoProtocol


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("--real", metavar="DIR", help="real videos; of an experiment by default its training data")
    fake = parser.add_mutually_exclusive_group(required=True)
    fake.add_argument("--fake", metavar="DIR", help="generated videos")
    fake.add_argument("--logdir", help="or a trained generator, logs/NAME")
    add("--checkpoint", default="latest", metavar="WHICH", help="latest (default), best or a step")
    add(
        "--protocol",
        metavar="NAME",
        help=f"{', '.join(VIDEO_PROTOCOLS)} or another of their form, such as fvd256_32f; by "
        "default fvd2048_16f, or the experiment's training.fvd_protocol",
    )
    add(
        "--weights",
        metavar="PATH",
        help="I3D: a Hub module's folder or a checkpoint (evaluation.fvd_weights, HVP_I3D_WEIGHTS)",
    )
    add("--resolution", metavar="HxW", help="resize all videos, such as 64x64 (with --fake)")
    add("--datadir", help="with --logdir: overrides data.datadir")
    add("--batch-size", type=int, default=8, metavar="N", help="videos generated at a time (8)")
    add("--seed", type=int, default=0, help="of the choice of clips and of the generator (0)")
    add("--out", metavar="FILE", help="JSON (beside the generated videos, or in the experiment)")


def run(arguments: argparse.Namespace) -> None:
    """Runs the command."""
    from hvp.distances.i3d_checkpoint import find_i3d_checkpoint
    from hvp.experiment.folder import CONFIG_FILE, find_run_folder

    if arguments.seed < 0 or arguments.batch_size < 1:
        raise UserError("--seed must be at least 0 and --batch-size at least 1")
    resolution = _resolution(arguments)
    experiment = config = None
    if arguments.logdir is not None:
        overrides = []
        if arguments.datadir is not None:
            overrides.append(f"data.datadir={json.dumps(arguments.datadir)}")
        experiment = find_run_folder(arguments.logdir)
        config = load_config(experiment / CONFIG_FILE, overrides)
    elif arguments.real is None or arguments.datadir is not None:
        raise UserError("--fake needs --real, a folder of real videos, and no --datadir")
    default = config.training.fvd_protocol if config else next(iter(VIDEO_PROTOCOLS))
    protocol = find_video_protocol(arguments.protocol or default)
    weights = arguments.weights or (config and config.evaluation.fvd_weights)
    find_i3d_checkpoint(weights)  # before anything that takes time

    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from tqdm import tqdm

    from hvp.distances.distance import VideoDistance, measure, write_record
    from hvp.distances.i3d import I3D

    if config is not None:
        real, fake, place = _experiment_clips(arguments, experiment, config, overrides, protocol)
    else:
        real, fake, place = _folder_clips(arguments, protocol, resolution)
    total = 2 * protocol.num_videos
    with tqdm(total=total, unit="clip", disable=not sys.stderr.isatty()) as progress:
        distance = VideoDistance(I3D(weights), protocol, on_clips=progress.update)
        record = measure(distance, real, fake)
    path = Path(arguments.out or place(distance.label))
    write_record(record, path)
    print(f"{record['metric']}: {record['value']:.3f}")
    print(f"written with its protocol: {path}")


def _resolution(arguments: argparse.Namespace) -> tuple[int, int] | None:
    if arguments.resolution is None:
        return None
    if arguments.logdir is not None:
        raise UserError("--resolution: an experiment's videos have its own; leave it out")
    match = re.fullmatch(r"([1-9]\d*)x([1-9]\d*)", arguments.resolution)
    if match is None:
        raise UserError(
            f"--resolution {arguments.resolution}: expected HEIGHTxWIDTH, such as 64x64"
        )
    return int(match[1]), int(match[2])


def _folder_clips(
    arguments: argparse.Namespace, protocol: VideoProtocol, resolution: tuple[int, int] | None
) -> tuple[RealClips, Clips, Callable[[str], Path]]:
    """Real and fake clips, and where the record goes under its label."""
    from hvp.distances.clips import FolderClips

    real = FolderClips(arguments.real, protocol, arguments.seed, resolution)
    fake = FolderClips(arguments.fake, protocol, arguments.seed, resolution)
    if real.resolution != fake.resolution:
        sizes = [f"{height}x{width}" for height, width in (real.resolution, fake.resolution)]
        raise UserError(
            f"{arguments.real} holds videos of {sizes[0]} (height x width), {arguments.fake} of "
            f"{sizes[1]}; --resolution {sizes[1]} resizes both to one"
        )
    folder = Path(arguments.fake).resolve()
    return real, fake, lambda label: folder.with_name(f"{folder.name}_{label}.json")


def _experiment_clips(
    arguments: argparse.Namespace,
    experiment: Path,
    config: ExperimentConfig,
    overrides: list[str],
    protocol: VideoProtocol,
) -> tuple[RealClips, Clips, Callable[[str], Path]]:
    from hvp.distances.clips import FolderClips, GeneratedClips, training_clips
    from hvp.experiment.checkpoints import find_checkpoint, load_experiment

    checkpoint = find_checkpoint(experiment, arguments.checkpoint)
    _, model, step = load_experiment(experiment, arguments.checkpoint, overrides)
    about: dict[str, Any] = {
        "experiment": config.name,
        "model": config.model.family,
        "checkpoint": checkpoint,
        "checkpoint_step": step,
    }
    fake = GeneratedClips(model, protocol, arguments.seed, arguments.batch_size, about)
    data = config.data
    if arguments.real is None:
        real: RealClips = training_clips(config, protocol, arguments.seed)
    else:
        size = (data.height, data.width)
        real = FolderClips(
            arguments.real,
            protocol,
            arguments.seed,
            size,
            data.channels,
            crop=data.crop,
            every=data.frame_step,
        )
    return real, fake, lambda label: record_path(experiment, step, label)
