"""What the published hierarchical model's convolutions take alone, and so an update at least.

    python bench/convolutions.py [--batch 1] [--repeats 8]

Each with both of its gradients, in milliseconds (the least of the repeats) and GFLOP/s, on as many
images as an update has; their sum in matrix products of the same run (`hvp.timing.clock`).
"""

from __future__ import annotations

import argparse

FRAMES = 100  # of a window
# (name, how many, height and width, channels in, out, kernel, stride, padding). A transposed
# convolution is the gradient of one whose output it takes.
LAYERS = [
    ("encoder 64 -> 31", 1, 64, 1, 32, 4, 2, "VALID"),
    ("encoder's cell at 31", 2, 31, 32, 32, 3, 1, "SAME"),
    ("encoder 31 -> 14", 1, 31, 32, 64, 4, 2, "VALID"),
    ("encoder 14 -> 6", 1, 14, 64, 128, 4, 2, "VALID"),
    ("encoder 6 -> 2", 1, 6, 128, 256, 4, 2, "VALID"),
    ("decoder 5 -> 13", 1, 13, 64, 128, 5, 2, "VALID"),
    ("decoder 13 -> 30", 1, 30, 32, 64, 6, 2, "VALID"),
    ("decoder's cell at 30", 2, 30, 32, 32, 3, 1, "SAME"),
    ("decoder 30 -> 64, in blocks", 1, 34, 32, 4, 3, 1, "VALID"),
]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--batch", type=int, default=1)
    parser.add_argument("--repeats", type=int, default=8)
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from hvp.timing.clock import product_seconds, repeated_seconds

    images, total = FRAMES * arguments.batch, 0.0
    before = product_seconds()
    print(f"{'':28}{'GFLOP':>7}{'forward':>16}{'to the input':>16}{'to the kernel':>16}")
    for name, count, size, inputs, outputs, kernel, stride, padding in LAYERS:
        x = tf.random.stateless_normal((images, size, size, inputs), (0, 0))
        w = tf.random.stateless_normal((kernel, kernel, inputs, outputs), (0, 1))
        y = tf.nn.conv2d(x, w, stride, padding)
        how = {"strides": (1, stride, stride, 1), "padding": padding}
        passes = (
            lambda x=x, w=w, how=how: tf.raw_ops.Conv2D(input=x, filter=w, **how),
            lambda x=x, w=w, y=y, how=how: tf.raw_ops.Conv2DBackpropInput(
                input_sizes=x.shape, filter=w, out_backprop=y, **how
            ),
            lambda x=x, w=w, y=y, how=how: tf.raw_ops.Conv2DBackpropFilter(
                input=x, filter_sizes=w.shape, out_backprop=y, **how
            ),
        )
        gflop = 2e-9 * images * y.shape[1] ** 2 * kernel**2 * inputs * outputs
        # Frames themselves need no gradient.
        wanted = (True, inputs > 1, True)
        times = [
            min(repeated_seconds(run, arguments.repeats)) if needed else 0.0
            for run, needed in zip(passes, wanted, strict=True)
        ]
        total += count * sum(times)
        columns = "".join(
            f"{1e3 * t:8.1f} ms{gflop / t:5.0f}" if t else f"{'-':>16}" for t in times
        )
        print(f"{name:28}{gflop:7.2f}{columns}" + (f"  x {count}" if count > 1 else ""), flush=True)
    product = (before + product_seconds()) / 2
    print(f"sum {1e3 * total:.0f} ms, {total / product:.1f} products of {1e3 * product:.1f} ms")


if __name__ == "__main__":
    main()
