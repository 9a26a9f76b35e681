"""Benchmarks SDFNet and DFDNet: train step, inference and peak memory.

    python bench/frequency_nets.py [--only sdfnet]

Moving MNIST sizes, 10 -> 10 frames of 64x64: the published width (64) at batch 1, 2 and 4, and the
width 16 at batch 4. Baseline: the originals in PyTorch on two CPU cores (measured on another day on
a machine of this size, good to a factor of 2; SDFNet there unfolds patches).
"""

from __future__ import annotations

import argparse
import json

from timing import in_own_process, median_seconds, peak_gib

FRAMES = 10
# (family, width, batch) -> seconds of a train step and of inference, peak GiB of the original.
ORIGINAL = {
    ("sdfnet", 64, 1): (46.0, 24.0, 5.3),
    ("sdfnet", 64, 2): None,
    ("sdfnet", 64, 4): None,
    ("sdfnet", 16, 4): (39.0, 6.7, 5.0),
    ("dfdnet", 64, 1): (23.0, 6.1, 3.5),
    ("dfdnet", 64, 2): (56.0, 15.0, 4.4),
    ("dfdnet", 64, 4): None,
    ("dfdnet", 16, 4): (2.7, 0.79, 1.65),
}


def measure(family: str, width: int, batch: int, repeats: int) -> dict[str, float]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    import hvp
    from hvp.config import TrainingConfig

    model_class = {"sdfnet": hvp.models.SDFNet, "dfdnet": hvp.models.DFDNet}[family]
    model = model_class(frames=FRAMES, hidden=width)
    model.configure_training(TrainingConfig(clip_norm=None))
    shape = (batch, 2 * FRAMES, model.height, model.width, model.channels)
    videos = tf.random.stateless_uniform(shape, (0, 0))
    inference = median_seconds(lambda: model.rollout(videos[:, :FRAMES], FRAMES).numpy(), repeats)
    step = tf.function(model.train_step)
    train = median_seconds(lambda: float(step(videos)["loss"]), repeats)
    return {"train": train, "inference": inference, "gib": peak_gib()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", choices=("sdfnet", "dfdnet"), help="one family")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(**json.loads(arguments.case))))
        return
    print("family  width batch   train s (original, ratio)   inference s (ratio)   GiB (original)")
    for (family, width, batch), original in ORIGINAL.items():
        if arguments.only not in (None, family):
            continue
        case = {"family": family, "width": width, "batch": batch, "repeats": arguments.repeats}
        row = in_own_process(__file__, case)
        line = f"{family:7} {width:5} {batch:5}"
        if original is None:
            line += f"   {row['train']:7.2f}{'':21}   {row['inference']:7.2f}"
            line += f"{'':14}   {row['gib']:5.2f}"
        else:
            train, inference, gib = original
            line += f"   {row['train']:7.2f} ({train:5.1f}, {train / row['train']:5.1f}x)"
            line += f"         {row['inference']:7.2f} ({inference / row['inference']:5.1f}x)"
            line += f"      {row['gib']:5.2f} ({gib})"
        print(line, flush=True)


if __name__ == "__main__":
    main()
