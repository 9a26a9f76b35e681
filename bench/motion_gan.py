"""Benchmarks the motion GAN: training iteration with and without R1, sampling, peak memory.

    python bench/motion_gan.py [--repeats 3] [--narrow] [--only training] [--precision PRECISION]

64x64, 16 frames, video batch 2 and image batch 4, the 3-D patch and the image discriminator at full
resolution. Beside sampling at published widths stands the original in PyTorch, in matrix products
(`hvp.timing.clock`); its other figures were taken under load and are not used.
"""

from __future__ import annotations

import argparse
import json
from typing import Any

from originals import HEAD, peak_gib, row_of, shown

from hvp.timing.clock import measure

FRAMES = 16
WIDTHS = {
    "published": {
        "width_factor": 1.0,
        "content_dim": 512,
        "motion_dim": 512,
        "recompute_from": 4,
    },
    "narrow": {"width_factor": 0.125, "content_dim": 64, "motion_dim": 64},
}
# (widths, what, videos) -> the original's time in products; None where it is not known.
ORIGINAL = {
    ("narrow", "sampling", 1): None,
    ("narrow", "training", 2): None,
    ("narrow", "training with R1", 2): None,
    ("published", "sampling", 1): 89.0,
    ("published", "sampling", 4): None,
    ("published", "training", 2): None,
    ("published", "training with R1", 2): None,
}


def run_case(widths: str, what: str, videos: int, repeats: int, precision: str) -> dict[str, Any]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import keras
    import tensorflow as tf

    import hvp
    from hvp.config import TrainingConfig

    keras.config.set_dtype_policy(precision)
    model = hvp.models.MotionGAN(
        height=64, width=64, video_discriminator_scale=1.0, images_per_video=2, **WIDTHS[widths]
    )
    if what == "sampling":
        run = lambda: model.generate(videos, FRAMES, seed=0).numpy()  # noqa: E731
    else:
        model.configure_training(TrainingConfig(learning_rate=2e-3, clip_norm=None))
        clips = tf.random.stateless_uniform((2 * videos, FRAMES, 64, 64, 3), (0, 0))
        function = model.penalised_step if what.endswith("R1") else model.plain_step
        step = tf.function(function)
        run = lambda: float(step(clips)["loss"])  # noqa: E731
    return {**measure(run, repeats), "gib": peak_gib()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--narrow", action="store_true", help="the narrow widths only")
    parser.add_argument("--only", choices=("sampling", "training"), help="one of the two")
    parser.add_argument("--precision", default="float32", help="or mixed_bfloat16")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(run_case(**json.loads(arguments.case))))
        return
    print(f"{'widths     what              videos':38}{HEAD}   frames/s   GiB")
    for (widths, what, videos), original in ORIGINAL.items():
        if arguments.narrow and widths != "narrow":
            continue
        if not what.startswith(arguments.only or ""):
            continue
        case = {
            "widths": widths,
            "what": what,
            "videos": videos,
            "repeats": arguments.repeats,
            "precision": arguments.precision,
        }
        row = row_of(__file__, case)
        line = f"{widths:10} {what:17} {videos:6}   {shown(row, original)}"
        print(f"{line}   {videos * FRAMES / row['seconds']:8.1f} {row['gib']:5.2f}", flush=True)


if __name__ == "__main__":
    main()
