"""The motion GAN's wide convolutions by fewer multiplications, in turns with direct summation.

    python bench/winograd.py [--repeats 3]

One video, or up to 16 frames, at the published widths; backwards is both gradients. Medians in
milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
from contextlib import nullcontext
from unittest.mock import patch

# name -> input, filters, strides (None: doubling), blur
LAYERS = {
    "video block 64, first": ((1, 16, 64, 64, 256), 512, (1, 1, 1), False),
    "video block 64, second": ((1, 16, 64, 64, 512), 512, (2, 2, 2), True),
    "video block 32, first": ((1, 8, 32, 32, 512), 512, (1, 1, 1), False),
    "video block 32, second": ((1, 8, 32, 32, 512), 512, (2, 2, 2), True),
    "frames 64": ((4, 64, 64, 512), 512, (1, 1), False),
    "frames 64, halved": ((4, 64, 64, 512), 512, (2, 2), True),
    "frames 32, doubled": ((16, 32, 32, 512), 512, None, True),
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=3)
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from hvp.layers import winograd
    from hvp.models.motion_gan.convolutions import convolve, convolve_doubling
    from hvp.timing.clock import repeated_seconds

    print(f"{'':24}{'forwards: direct, fewer':>26}{'backwards: direct, fewer':>28}")
    for name, (shape, filters, strides, blur) in LAYERS.items():
        x = tf.random.stateless_normal(shape, (0, 0))
        taps = (3,) * (len(shape) - 2)
        kernel = tf.random.stateless_normal((*taps, shape[-1], filters), (0, 1)) / 64.0

        def layer(x, kernel, strides=strides, blur=blur):
            return convolve(x, kernel, strides, blur) if strides else convolve_doubling(x, kernel)

        def gradients(x, kernel, upstream, layer=layer):
            # What is computed anew for a gradient does not run what it does not need.
            with (
                patch.object(winograd, "in_turn", lambda: nullcontext([])),
                tf.GradientTape() as tape,
            ):
                tape.watch((x, kernel))
                y = layer(x, kernel)
                found = tape.gradient(y, (x, kernel), upstream)
            return [tf.reduce_sum(gradient) for gradient in found]

        runs, upstream = {}, layer(x, kernel)
        for way, pays in (("direct", False), ("fewer", True)):
            forwards = tf.function(lambda x, kernel, layer=layer: tf.reduce_sum(layer(x, kernel)))
            backwards = tf.function(gradients)
            with patch.object(winograd, "pays", lambda *_, pays=pays: pays):
                forwards.get_concrete_function(x, kernel)
                backwards.get_concrete_function(x, kernel, upstream)
            runs["forwards", way] = lambda f=forwards, x=x, k=kernel: f(x, k).numpy()
            runs["backwards", way] = lambda f=backwards, a=(x, kernel, upstream): f(*a)[0].numpy()
        times: dict[tuple[str, str], list[float]] = {key: [] for key in runs}
        for _ in range(arguments.repeats):
            for key, run in runs.items():
                times[key] += repeated_seconds(run, 1)
        medians = {key: f"{1e3 * statistics.median(found):.0f}" for key, found in times.items()}
        ahead, ahead_fewer = medians["forwards", "direct"], medians["forwards", "fewer"]
        back, back_fewer = medians["backwards", "direct"], medians["backwards", "fewer"]
        print(f"{name:24}{ahead:>17} {ahead_fewer:>8}{back:>19} {back_fewer:>8}", flush=True)


if __name__ == "__main__":
    main()
