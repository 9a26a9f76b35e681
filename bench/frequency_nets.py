"""Benchmarks SDFNet and DFDNet: train step, inference and peak memory.

    python bench/frequency_nets.py [--only sdfnet] [--precision mixed_bfloat16]

Moving MNIST sizes, 10 -> 10 frames of 64x64: the published width (64) at batch 1, 2 and 4, and the
width 16 at batch 4. Beside them the originals in PyTorch, in matrix products (`hvp.timing.clock`).
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from typing import Any

from originals import HEAD, peak_gib, row_of, shown, use

from hvp.commands.bench import PRECISIONS
from hvp.heap import give_back
from hvp.timing.clock import measure

FRAMES = 10
# (family, width, batch) -> the original's train step and inference in products, peak GiB.
ORIGINAL: dict[tuple[str, int, int], tuple[float | None, float | None, float | None]] = {
    ("sdfnet", 64, 1): (97.0, 50.0, 5.2),
    ("sdfnet", 64, 2): (None, None, None),
    ("sdfnet", 64, 4): (None, None, None),
    ("sdfnet", 16, 4): (99.0, 50.0, 5.0),
    ("dfdnet", 64, 1): (43.0, 12.5, 3.3),
    ("dfdnet", 64, 2): (None, None, None),
    ("dfdnet", 64, 4): (None, None, None),
    ("dfdnet", 16, 4): (16.0, 5.5, 1.33),
}


def runs_of(family: str, width: int, batch: int) -> dict[str, Callable[[], object]]:
    """What is timed of a model, by name; TensorFlow is imported already."""
    import tensorflow as tf

    import hvp
    from hvp.config import TrainingConfig

    model_class = {"sdfnet": hvp.models.SDFNet, "dfdnet": hvp.models.DFDNet}[family]
    model = model_class(frames=FRAMES, hidden=width)
    model.configure_training(TrainingConfig(clip_norm=None))
    shape = (batch, 2 * FRAMES, model.height, model.width, model.channels)
    videos = tf.random.stateless_uniform(shape, (0, 0))
    step = tf.function(model.train_step, autograph=False)
    return {
        "inference": lambda: model.rollout(videos[:, :FRAMES], FRAMES).numpy(),
        "train step": lambda: float(step(videos)["loss"]),
    }


def run_case(family: str, width: int, batch: int, repeats: int, precision: str) -> dict[str, Any]:
    use(precision)
    runs = runs_of(family, width, batch)
    runs["train step"]()
    give_back()  # as `hvp train` does after its first update
    for name in ("train step", "train step", "inference", "inference"):
        runs[name]()
    gib = peak_gib()  # without the matrices of the unit of time
    return {name: measure(run, repeats) for name, run in runs.items()} | {"gib": gib}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("sdfnet", "dfdnet"), help="one family")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(run_case(**json.loads(arguments.case))))
        return
    print(f"{'family  width  batch':32}{HEAD}     GiB (original)")
    for (family, width, batch), (*originals, gib) in ORIGINAL.items():
        if arguments.only not in (None, family):
            continue
        case = {
            "family": family,
            "width": width,
            "batch": batch,
            "repeats": arguments.repeats,
            "precision": arguments.precision,
        }
        row = row_of(__file__, case)
        for what, original in zip(("train step", "inference"), originals, strict=True):
            line = f"{family:7} {width:5} {batch:6}  {what:10}{shown(row[what], original)}"
            print(f"{line}   {row['gib']:5.2f} ({gib or '-'})", flush=True)


if __name__ == "__main__":
    main()
