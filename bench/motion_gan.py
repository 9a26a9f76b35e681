"""Benchmarks the motion GAN: training iteration with and without R1, sampling, peak memory.

    python bench/motion_gan.py [--repeats 3] [--narrow]

64x64, 16 frames, as the original was measured: video batch 2 and image batch 4, the 3-D patch and
the image discriminator at full resolution. Baseline: the original in PyTorch on two CPU cores
(measured on another day on a machine of this size, good to a factor of 2). It has no figure for
training at published widths, where it ran out of 20 GiB.
"""

from __future__ import annotations

import argparse
import json

from timing import in_own_process, median_seconds, peak_gib

FRAMES = 16
WIDTHS = {
    "published": {"width_factor": 1.0, "content_dim": 512, "motion_dim": 512},
    "narrow": {"width_factor": 0.125, "content_dim": 64, "motion_dim": 64},
}
# (widths, what, videos) -> seconds and peak GiB of the original; a range is its fastest end.
ORIGINAL = {
    ("narrow", "sampling", 1): (1.1, 0.42),
    ("narrow", "training", 2): (30.0, 1.35),
    ("narrow", "training with R1", 2): (30.0, 1.35),
    ("published", "sampling", 1): (11.8, 3.0),
    ("published", "sampling", 4): (58.0, 10.7),
    ("published", "training", 2): None,
    ("published", "training with R1", 2): None,
}


def measure(widths: str, what: str, videos: int, repeats: int) -> dict[str, float]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    import hvp
    from hvp.config import TrainingConfig

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
    return {"seconds": median_seconds(run, repeats), "gib": peak_gib()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--narrow", action="store_true", help="the narrow widths only")
    parser.add_argument("--repeats", type=int, default=3)
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        print(json.dumps(measure(**json.loads(arguments.case))))
        return
    print("widths     what              videos   seconds (original, ratio)    frames/s   GiB")
    for (widths, what, videos), original in ORIGINAL.items():
        if arguments.narrow and widths != "narrow":
            continue
        case = {"widths": widths, "what": what, "videos": videos, "repeats": arguments.repeats}
        row = in_own_process(__file__, case)
        seconds = row["seconds"]
        line = f"{widths:10} {what:17} {videos:6}   {seconds:7.2f}"
        line += f" ({original[0]:5.1f}, {original[0] / seconds:5.1f}x)" if original else " " * 16
        line += f"   {videos * FRAMES / seconds:8.1f}   {row['gib']:5.2f}"
        line += f" ({original[1]})" if original else ""
        print(line, flush=True)


if __name__ == "__main__":
    main()
