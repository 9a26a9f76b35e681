"""The spectra of DFDNet's filters: by TensorFlow's transform, and by two matrix products.

    python bench/transforms.py [--repeats 15]

A filter along the height of `(4, 32, 32, 80)` transforms, for each of 32 columns and 4 segments,
32 x 20 = 640 numbers. One way brings them side by side and transforms them. The other leaves them
where they are: 32 rows by a matrix, then, for each of the 17 frequencies that real rows have, 20
complex numbers by another, which holds the factors between the two. Its frequencies come in another
order; half of them are complex conjugates of the rest. Milliseconds: median (least-most).
"""

from __future__ import annotations

import argparse

from turns import print_in_turns

COUNT = 10  # in a turn
BATCH, HEIGHT, WIDTH, SEGMENTS, SIZE = 4, 32, 32, 4, 20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import numpy as np
    import tensorflow as tf

    length = HEIGHT * SIZE
    rows = np.arange(HEIGHT // 2 + 1)
    first = np.exp(-2j * np.pi * np.outer(rows, np.arange(HEIGHT)) / HEIGHT)
    # (17, 20, 20): frequency k + 32 j of number s, less what the first matrix has done.
    frequencies = rows[:, None, None] + HEIGHT * np.arange(SIZE)
    second = np.exp(-2j * np.pi * frequencies * np.arange(SIZE)[:, None] / length)

    def constant(x: np.ndarray) -> tf.Tensor:
        return tf.constant(x, tf.float32)

    first_parts = constant(np.concatenate([first.real, first.imag]))
    # Real and imaginary results side by side, of real and of imaginary numbers.
    of_real = constant(np.concatenate([second.real, second.imag], axis=-1))
    of_imaginary = constant(np.concatenate([-second.imag, second.real], axis=-1))

    def by_transform(x: tf.Tensor) -> tf.Tensor:
        split = tf.reshape(x, (-1, HEIGHT, WIDTH, SEGMENTS, SIZE))
        lines = tf.transpose(split, (0, 2, 3, 1, 4))
        return tf.signal.rfft(tf.reshape(lines, (-1, WIDTH * SEGMENTS, length)))

    def by_products(x: tf.Tensor) -> tf.Tensor:
        flat = tf.reshape(x, (-1, HEIGHT, WIDTH * SEGMENTS * SIZE))
        parts = tf.reshape(first_parts @ flat, (-1, 2, len(rows), WIDTH * SEGMENTS, SIZE))
        return parts[:, 0] @ of_real + parts[:, 1] @ of_imaginary

    x = tf.random.stateless_normal((BATCH, HEIGHT, WIDTH, SEGMENTS * SIZE), (0, 0))
    spectrum = by_transform(x).numpy().reshape(BATCH, WIDTH * SEGMENTS, -1)
    found = by_products(x).numpy()
    for k in (0, 3, HEIGHT // 2):
        for j in (0, 4, 9):
            real, imaginary = found[:, k, :, j], found[:, k, :, SIZE + j]
            expected = spectrum[:, :, k + HEIGHT * j]
            np.testing.assert_allclose(real + 1j * imaginary, expected, atol=1e-3)

    ways = {}
    for name, way in (("transform", by_transform), ("two products", by_products)):
        # Of inputs that differ, or TensorFlow would compute one.
        inputs = [x + i for i in range(COUNT)]
        several = tf.function(lambda way=way, inputs=inputs: [way(x) for x in inputs])
        ways[name] = lambda several=several: several()[-1].numpy()
    print_in_turns(ways, COUNT, arguments.repeats)


if __name__ == "__main__":
    main()
