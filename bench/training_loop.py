"""Benchmarks what the training loop itself costs, at a model so small that it shows.

    python bench/training_loop.py [--steps 400]

Milliseconds of an update, in turns: every number fetched after every update, as a loop does that
prints its loss; fetched every 100 updates, as hvp's loop does; and 100 updates a call
(`training.steps_per_call`).
"""

from __future__ import annotations

import argparse
from functools import partial

from turns import print_in_turns

WAYS = {"fetched every update": (1, 1), "fetched every 100": (1, 100), "100 a call": (100, 100)}
REPEATS = 5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=400)
    steps = parser.parse_args().steps
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    import hvp
    from hvp.config import TrainingConfig
    from hvp.training.updates import Updates

    model = hvp.models.ConvLSTM(height=8, width=8, context=2, hidden=[4], patch_size=4)
    model.configure_training(TrainingConfig())
    video = tf.random.stateless_uniform((1, 4, 8, 8, 1), (0, 0))
    batches = iter(tf.data.Dataset.from_tensors(video).repeat())
    strategy = tf.distribute.get_strategy()
    updates = {
        way: Updates(strategy, model.step_function, per_call) for way, (per_call, _) in WAYS.items()
    }

    def make(way: str) -> None:
        made, fetch_every = 0, WAYS[way][1]
        while made < steps:
            made += updates[way].run(batches, made, min(steps, made + fetch_every) - made)
            if made % fetch_every == 0 or made == steps:
                updates[way].scalars()
                updates[way].not_finite()

    print_in_turns({way: partial(make, way) for way in WAYS}, steps, REPEATS)


if __name__ == "__main__":
    main()
