"""`hvp bench`: how fast an experiment trains, predicts and reads its data on this machine."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from hvp.commands.options import add_count, add_overrides, read_configuration
from hvp.commands.parser import choices
from hvp.errors import UserError, writing
from hvp.timing import KINDS

HELP = (
    "Times an update, predictions (or generated videos) and the input pipeline of a configuration, "
    "each in a process of its own, with operations, share of the machine's speed and peak memory. "
    "--settings tries what makes training faster here; --compare tells two results apart."
)
PRECISIONS = ("float32", "mixed_bfloat16")
MINUTES = 5.0


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declares the command's arguments."""
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument(
        "--config", help="a file, or the name of one that comes with hvp, such as mmnist"
    )
    what.add_argument(
        "--compare",
        nargs=2,
        metavar="FILE",
        help="two files that --json wrote: ratios, and whether they are within the spread",
    )
    add_overrides(parser, of="the configuration")
    parser.add_argument(
        "--only", type=choices(KINDS), metavar="A,B", help=f"of {','.join(KINDS)} (all)"
    )
    parser.add_argument(
        "--precision",
        type=choices(PRECISIONS),
        metavar="A,B",
        help=f"of {','.join(PRECISIONS)} (the configuration's)",
    )
    parser.add_argument(
        "--settings",
        action="store_true",
        help="tries precision, XLA, several updates a call and, on NVIDIA GPUs, TF32, and prints "
        f"what to set; takes at most {MINUTES:g} minutes",
    )
    add_count(parser, "--repeats", "of which the median is told", default=5)
    parser.add_argument("--no-count", action="store_true", help="operations are not counted")
    parser.add_argument("--json", metavar="FILE", help="adds a line to it for each row")


def run(arguments: argparse.Namespace) -> None:
    """Times, or compares what was timed."""
    if arguments.compare is not None:
        from hvp.timing.comparison import comparison, read_rows

        print("\n".join(comparison(*map(read_rows, arguments.compare))))
        return
    if arguments.settings and (arguments.only or arguments.precision or arguments.no_count):
        raise UserError(
            "--settings tries updates in all precisions; leave --only, --precision, --no-count out"
        )
    config = read_configuration(arguments)
    if arguments.json is not None:
        with writing(arguments.json), Path(arguments.json).open("a", encoding="utf-8"):
            pass  # before the work, so that an unwritable place shows at once
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from hvp.data.lengths import with_lengths
    from hvp.evaluation.cost import device_name

    config = with_lengths(config, print)
    print(f"{config.name}: {config.model.family}, {_sizes(config)}; {device_name()}")
    if arguments.settings:
        _print_settings(arguments, config, bool(tf.config.list_physical_devices("GPU")))
    else:
        _print_rows(arguments, config)


def _sizes(config: Any) -> str:
    data = config.data
    return (
        f"{data.height}x{data.width}x{data.channels}, training batch "
        f"{config.training.batch_size} of {data.seq_len} frames"
    )


def _print_rows(arguments: argparse.Namespace, config: Any) -> None:
    from hvp.timing.runs import HEAD, each, line_of, timed

    print(HEAD)
    problems = []
    for precise in each(config, arguments.precision or []):
        for kind in arguments.only or KINDS:
            if kind == "input" and precise.training.precision != config.training.precision:
                continue  # the data are the same
            try:
                rows = timed(precise, kind, arguments.repeats, not arguments.no_count)
            except UserError as error:
                problems.append(f"{kind}: {error}")
                print(f"{kind}: {error}")
                continue
            _keep(arguments, rows)
            if arguments.precision:
                print(f"{precise.training.precision}:")
            print("\n".join(map(line_of, rows)), flush=True)
    if arguments.only and problems:  # what was asked for by name
        raise UserError(problems[0])


def _print_settings(arguments: argparse.Namespace, config: Any, has_gpu: bool) -> None:
    from hvp.timing.runs import as_flags, try_settings

    rows, chosen = try_settings(config, has_gpu, arguments.repeats, 60 * MINUTES)
    _keep(arguments, rows)
    if chosen:
        print(f"use: {as_flags(chosen)}")
    else:
        print("use: nothing; float32 as it is was as fast as anything")


def _keep(arguments: argparse.Namespace, rows: list[dict[str, Any]]) -> None:
    if arguments.json is not None:
        with writing(arguments.json), Path(arguments.json).open("a", encoding="utf-8") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
