"""`hvp fvd`: the Fréchet video distance of generated videos."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from hvp.commands.options import (
    Experiment,
    add_checkpoint,
    add_count,
    add_devices,
    add_out,
    add_preset,
    add_seed,
    devices_of,
    open_experiment,
    progress_bar,
)
from hvp.commands.parser import size
from hvp.distances.protocols import FORMS, VIDEO_PROTOCOLS, find_video_protocol
from hvp.errors import UserError

if TYPE_CHECKING:
    import numpy as np
    import tensorflow as tf

    from hvp.distances.distance import Clips, RealClips
    from hvp.distances.protocols import VideoProtocol

HELP = (
    "Measures the Fréchet video distance of generated videos, in a folder or of a trained "
    "generator, to real ones, and writes it with everything that decides it, and with the kernel "
    "distance, precision, recall, density and coverage. The distance of predictions is part of "
    "evaluate --fvd-weights."
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    add = parser.add_argument
    add("--real", metavar="DIR", help="real videos; of an experiment by default its training data")
    add(
        "--features",
        default="i3d",
        metavar="WHOSE",
        help=f"{FORMS}; of features computed elsewhere, --real and --fake are .npz files",
    )
    add("--extrapolate", action="store_true", help="FVD of infinitely many videos, and its figure")
    fake = parser.add_mutually_exclusive_group(required=True)
    fake.add_argument("--fake", metavar="DIR", help="generated videos")
    fake.add_argument("--logdir", help="or a trained generator, logs/NAME")
    add_preset(fake)
    add_checkpoint(parser)
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
    add(
        "--resolution",
        type=size,
        metavar="HxW",
        help="resize all videos, such as 64x64 (with --fake)",
    )
    add_count(parser, "--batch-size", "videos generated at a time", default=8)
    add_seed(parser, "of the choice of clips and of the generator", default=0)
    add_devices(parser)
    add_out(parser, "JSON file (beside the generated videos, or in the experiment)")


def run(arguments: argparse.Namespace) -> None:
    """Measures, writes the record and prints the distance."""
    from hvp.distances.embedding import check_embedding, load_embedding, min_frames

    if _computed_elsewhere(arguments):
        return _compare_features(arguments)
    experiment = _experiment(arguments)
    config = experiment and experiment.config
    default = config.training.fvd_protocol if config else next(iter(VIDEO_PROTOCOLS))
    protocol = find_video_protocol(arguments.protocol or default, min_frames(arguments.features))
    weights = arguments.weights or (config.evaluation.fvd_weights if config else None)
    check_embedding(arguments.features, weights)  # before anything that takes time

    devices = devices_of(arguments)
    from hvp.distances.distance import VideoDistance, measure_features

    if experiment is None:
        real, fake, place = _folder_clips(arguments, protocol)
    else:
        real, fake, place = _experiment_clips(arguments, experiment, protocol, devices)
    with progress_bar(2 * protocol.num_videos, "clip") as progress:
        network = load_embedding(arguments.features, weights, devices)
        distance = VideoDistance(network, protocol, on_clips=progress.update)
        record, of_real, of_fake = measure_features(distance, real, fake)
    _finish(arguments, record, of_real, of_fake, Path(arguments.out or place(distance.label)))


def _computed_elsewhere(arguments: argparse.Namespace) -> bool:
    """Whether features are given in place of videos.

    Raises:
        UserError: if they are of one set alone, or with options that are for videos.
    """
    given = [str(path or "").endswith(".npz") for path in (arguments.real, arguments.fake)]
    if not any(given):
        return False
    if not all(given):
        raise UserError("--real and --fake: both must be .npz files of features, or neither")
    for flag in ("protocol", "resolution", "weights"):
        if getattr(arguments, flag) is not None:
            raise UserError(f"--{flag} is for videos; features in .npz files go without it")
    return True


def _compare_features(arguments: argparse.Namespace) -> None:
    """The distances of two files of features."""
    from hvp.distances.embedding import read_features

    real, fake = (read_features(path) for path in (arguments.real, arguments.fake))
    if real.shape[1] != fake.shape[1]:
        raise UserError(
            f"{arguments.real} has {real.shape[1]} features a video, {arguments.fake} "
            f"{fake.shape[1]}; both must be of the same network"
        )
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    from hvp.distances.frechet import frechet_distance
    from hvp.distances.sets import compare_sets
    from hvp.files import file_sha256
    from hvp.provenance import made_with

    files = {"real": Path(arguments.real), "fake": Path(arguments.fake)}
    record: dict[str, Any] = {
        "metric": f"frechet_distance_of_features_{len(fake)}",
        "value": frechet_distance(real, fake),
        "num_real": len(real),
        "num_fake": len(fake),
        **{name: {"features": str(p), "sha256": file_sha256(p)} for name, p in files.items()},
        **compare_sets(real, fake),
        **made_with(),
    }
    path = Path(arguments.out or files["fake"].with_suffix(".json"))
    _finish(arguments, record, real, fake, path)


def _finish(
    arguments: argparse.Namespace,
    record: dict[str, Any],
    real: np.ndarray,
    fake: np.ndarray,
    path: Path,
) -> None:
    """Extrapolates where it is asked for, writes the record, and prints its numbers."""
    from hvp.distances.distance import write_record
    from hvp.distances.sets import extrapolate, warnings_for

    measured = ["fvd", "kernel_distance", "neighbourhoods"]
    if arguments.extrapolate:
        from hvp.distances.extrapolation import save_extrapolation

        plain, found = extrapolate(real, fake, arguments.seed)
        record |= plain
        measured[0] = "extrapolated"
    record["warnings"] = warnings_for(min(len(real), len(fake)), real.shape[1], measured)
    write_record(record, path)
    print(f"{record['metric']}: {record['value']:.3f}")
    if arguments.extrapolate:
        save_extrapolation(found, path.with_suffix(".png"))
        print(f"of infinitely many videos: {found.value:.3f} ± {found.interval:.3f}")
    if kernel := record["kernel_distance"]:
        print(f"kernel distance: {kernel['value']:.5f} ± {1.96 * kernel['stddev']:.5f}")
    if near := record["neighbourhoods"]:
        names = ("precision", "recall", "density", "coverage")
        print("  ".join(f"{name} {near[name]:.3f}" for name in names))
    for warning in record["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"written with its protocol: {path}")


def _experiment(arguments: argparse.Namespace) -> Experiment | None:
    """The generator's experiment, or `None` where the videos are in a folder."""
    from hvp.experiment.folder import require_generator

    if arguments.logdir is None and arguments.preset is None:
        if arguments.real is None or arguments.datadir is not None or arguments.overrides:
            raise UserError(
                "--fake needs --real, a folder of real videos, and no --datadir and no --set"
            )
        return None
    if arguments.resolution is not None:
        raise UserError("--resolution: an experiment's videos have its own; leave it out")
    return open_experiment(arguments, require_generator)


def _folder_clips(
    arguments: argparse.Namespace, protocol: VideoProtocol
) -> tuple[RealClips, Clips, Callable[[str], Path]]:
    """Real and fake clips, and where the record goes under its label."""
    from hvp.distances.clips import FolderClips

    real = FolderClips(arguments.real, protocol, arguments.seed, arguments.resolution)
    fake = FolderClips(arguments.fake, protocol, arguments.seed, arguments.resolution)
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
    experiment: Experiment,
    protocol: VideoProtocol,
    devices: tf.distribute.Strategy,
) -> tuple[RealClips, Clips, Callable[[str], Path]]:
    """As `_folder_clips`, of a generator and its training data or `--real`."""
    from hvp.distances.clips import FolderClips, GeneratedClips, training_clips
    from hvp.distances.distance import record_path

    config, data = experiment.config, experiment.config.data
    checkpoint = experiment.find_checkpoint()
    model, step = experiment.load(devices)
    about: dict[str, Any] = {
        "experiment": config.name,
        "model": config.model.family,
        "checkpoint": checkpoint,
        "checkpoint_step": step,
    }
    fake = GeneratedClips(model, protocol, arguments.seed, arguments.batch_size, about)
    real: RealClips
    if arguments.real is None:
        real = training_clips(config, protocol, arguments.seed)
    else:
        real = FolderClips(
            arguments.real,
            protocol,
            arguments.seed,
            (data.height, data.width),
            data.channels,
            crop=data.crop,
            every=data.frame_step,
        )
    return real, fake, lambda label: record_path(experiment.results, step, label)
