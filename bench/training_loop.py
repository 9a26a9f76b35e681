"""Benchmarks what the training loop itself costs, at a model so small that it shows.

    python bench/training_loop.py [--steps 400]

Milliseconds of an update, in turns: every number fetched after every update, as a loop does that
prints its loss; fetched every 100 updates, as hvp's loop does; and 100 updates a call
(`training.steps_per_call`).
"""

from __future__ import annotations

import argparse
import statistics
import time

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

    def milliseconds(way: str, count: int) -> float:
        start, made = time.perf_counter(), 0
        while made < count:
            fetch_every = WAYS[way][1]
            made += updates[way].run(batches, made, min(count, made + fetch_every) - made)
            if made % fetch_every == 0 or made == count:
                updates[way].scalars()
                updates[way].not_finite()
        return 1000 * (time.perf_counter() - start) / count

    for way in WAYS:
        milliseconds(way, 2)  # compiled here
    times: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(REPEATS):
        for way in WAYS:
            times[way].append(milliseconds(way, steps))
    for way, found in times.items():
        median = statistics.median(found)
        print(f"{way:22}{median:7.3f} ms ({min(found):.3f}-{max(found):.3f})")


if __name__ == "__main__":
    main()
