"""Normalisations and DFDNet's gates and masks: compiled, and operation by operation, in turns.

    python bench/passes.py [--repeats 15]

Forwards and backwards at sizes of SDFNet and DFDNet. Milliseconds: median (least-most).
"""

from __future__ import annotations

import argparse
from unittest.mock import patch

from turns import print_in_turns

COUNT = 4  # in a turn


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--repeats", type=int, default=15)
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    from hvp.layers import activations, compiled
    from hvp.layers.normalisation import (
        NORM_EPSILON,
        GroupNormalization,
        LayerNormalization,
        batch_norm,
    )
    from hvp.models.dfdnet.axis_filter import AxisFilter
    from hvp.models.dfdnet.blocks import _gated

    norm = batch_norm("norm", activation=tf.nn.relu)
    layer = LayerNormalization(epsilon=NORM_EPSILON)
    groups = GroupNormalization(2, activations.mish)
    axis = AxisFilter(2, 4, 0.3125)
    axis.build((4, 32, 32, 160))
    cases = {
        "batch, ReLU": (lambda x: norm(x, training=True), (1, 64, 64, 640)),
        "layer": (layer, (4, 32, 32, 160)),
        "groups, Mish": (groups, (40, 64, 64, 16)),
        "gate": (lambda x: _gated(1)(x, x)[0], (4, 32, 32, 106)),
        # With the transforms, which are not compiled.
        "mask": (axis._filter, (4, 128, 1280)),
    }
    for name, (function, shape) in cases.items():
        x = tf.random.stateless_normal(shape, (0, 0))
        ways = {}
        for way, pays in (("compiled", True), ("one by one", False)):

            def both(x, function=function):
                with tf.GradientTape() as tape:
                    tape.watch(x)
                    y = function(x)
                return tape.gradient(y, x, y)

            run = tf.function(both, autograph=False)
            with patch.object(compiled, "pays", lambda *_, pays=pays: pays):
                function(x)  # builds a layer
                run.get_concrete_function(x)

            def several(run=run, x=x):
                for _ in range(COUNT):
                    found = run(x)
                found.numpy()

            ways[f"{name}, {way}"] = several
        print_in_turns(ways, COUNT, arguments.repeats)


if __name__ == "__main__":
    main()
