"""How many frames at a time LPIPS, SSIM and FVD's network are fastest with.

    python bench/metric_batches.py [--lpips FOLDER] [--repeats 5]

Frames of 64x64 grey for SSIM and LPIPS, clips of 16 frames of 64x64 RGB for I3D. Milliseconds a
frame (a clip), each size in turn; `*` is what hvp does. I3D's weights are random.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from unittest import mock

import numpy as np
from turns import print_in_turns

FRAMES, CLIPS = 1024, 16


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lpips", metavar="FOLDER", help="AlexNet's weights; without, no LPIPS")
    parser.add_argument("--repeats", type=int, default=5)
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from hvp.distances import i3d
    from hvp.evaluation import scorer
    from hvp.metrics import perceptual, ssim

    frame = 64 * 64
    true, pred = (tf.random.stateless_uniform((FRAMES, 64, 64, 1), (0, i)) for i in range(2))

    def by_size(metric: Callable, size: int) -> Callable[[], None]:
        def run() -> None:
            for first in range(0, FRAMES, size):
                metric(true[first : first + size], pred[first : first + size]).numpy()

        return run

    def label(name: str, size: int, own: int) -> str:
        return f"{name} {size}{'*' if size == own else ''}"

    own = scorer.PIXELS_AT_ONCE // (2 * frame)  # of a prediction and the last frame repeated
    sizes = (16, 64, 256, own, FRAMES)
    ways = {label("SSIM", n, own): by_size(ssim, n) for n in sizes}
    print_in_turns(ways, FRAMES, arguments.repeats)
    if arguments.lpips:
        lpips = {}
        own = perceptual._PIXELS_AT_ONCE // (2 * frame)
        for size in (8, 32, own, 4 * own):
            metric = perceptual.LPIPS(arguments.lpips)

            def run(metric: Callable = metric, size: int = size) -> None:
                perceptual._PIXELS_AT_ONCE = size * 2 * frame  # read when it is traced
                metric(true, pred).numpy()

            lpips[label("LPIPS", size, own)] = run
        print_in_turns(lpips, FRAMES, arguments.repeats)
    clips = np.random.default_rng(0).random((CLIPS, 16, 64, 64, 3), np.float32)
    own = i3d.FRAMES_AT_ONCE // 16
    with mock.patch.object(i3d, "assign_by_name"):
        network = i3d.I3D({})

    def embed(size: int) -> Callable[[], None]:
        def run() -> None:
            i3d.FRAMES_AT_ONCE = size * 16
            network.embed(clips)

        return run

    ways = {label("I3D", n, own): embed(n) for n in (1, own, CLIPS)}
    print_in_turns(ways, CLIPS, arguments.repeats)


if __name__ == "__main__":
    main()
