"""Benchmarks the hierarchical residual model at the paper's sizes.

    python bench/hierarchical.py [--quick] [--likelihoods] [--precision mixed_bfloat16]

Prints one row a case: the train step (sequence length 100, batch 1, 2, 4; graph mode), start-up to
the first step, and open-loop evaluation (336 frames, context 36, batch 10, with frame metrics).
`--likelihoods` times the train step at batch 1 with each of the decoder's distributions instead.
Beside them the original graph (TensorFlow 2.15), in matrix products (`hvp.timing.clock`), and the
share of the machine's matrix-product speed that the train step reaches.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable

STARTED = time.perf_counter()

from originals import HEAD, peak_gib, row_of, shown, use  # noqa: E402

from hvp.commands.bench import PRECISIONS  # noqa: E402
from hvp.timing.clock import PRODUCT_FLOP, measure, of_each  # noqa: E402

TRAIN_FRAMES = 100
CONTEXT, FRAMES, EXAMPLES = 36, 336, 10
# Forward; a train step costs about three times as much.
MFLOP_PER_FRAME = 150
# The original in products: train step by batch size; open loop, one example without metrics.
ORIGINAL_STEP = {1: 7.4, 2: 13.5, 4: 25.0}
ORIGINAL_OPEN_LOOP = 4.8
LIKELIHOODS = ("normal", "laplace", "bernoulli", "logistic")


def update_of(batch: int, likelihood: str = "normal") -> Callable[[], float]:
    """An update at the published sizes; TensorFlow is imported already."""
    import tensorflow as tf

    import hvp
    from hvp.config import TrainingConfig

    model = hvp.models.HierarchicalModel(likelihood=likelihood)
    model.configure_training(TrainingConfig())
    step = tf.function(model.train_step, autograph=False)
    shape = (batch, TRAIN_FRAMES, model.height, model.width, model.channels)
    videos = tf.random.stateless_uniform(shape, (0, 0))
    return lambda: float(step(videos)["loss"])


def train_step(
    batch: int, repeats: int, likelihood: str = "normal", precision: str = "float32"
) -> dict[str, float]:
    use(precision)
    update = update_of(batch, likelihood)
    update()
    start_up = time.perf_counter() - STARTED
    update()
    gib = peak_gib()  # without the matrices of the unit of time
    row = measure(update, repeats)
    flop = 3 * MFLOP_PER_FRAME * 1e6 * batch * TRAIN_FRAMES
    share = flop / (row["products"] * PRODUCT_FLOP)
    return {**row, "start_up": start_up, "gib": gib, "share": share}


def open_loop(repeats: int, precision: str = "float32") -> dict[str, float]:
    use(precision)
    import tensorflow as tf

    import hvp
    from hvp.metrics import mae, mse, psnr, ssim

    model = hvp.models.HierarchicalModel()
    shape = (EXAMPLES, FRAMES, model.height, model.width, model.channels)
    videos = tf.random.stateless_uniform(shape, (0, 0))
    truth = videos[:, CONTEXT:]

    @tf.function
    def metrics(predicted: tf.Tensor) -> list[tf.Tensor]:
        return [metric(truth, predicted) for metric in (mse, mae, psnr, ssim)]

    def run() -> None:
        predicted = model.rollout(videos[:, :CONTEXT], FRAMES - CONTEXT, seed=0)
        for values in metrics(predicted[0]):
            values.numpy()

    run()
    gib = peak_gib()
    return {**of_each(measure(run, repeats), EXAMPLES), "gib": gib}


def compare_likelihoods(repeats: int, precision: str) -> None:
    print(f"{'train step, batch 1':26}{HEAD}")
    for likelihood in LIKELIHOODS:
        case = {"kind": "train", "batch": 1, "repeats": repeats, "likelihood": likelihood}
        row = row_of(__file__, {**case, "precision": precision})
        print(f"{likelihood:26}{shown(row, None)}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="batch 1 only, two repeats")
    parser.add_argument("--likelihoods", action="store_true", help="the train step with each")
    parser.add_argument("--precision", choices=PRECISIONS, default="float32")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        case = json.loads(arguments.case)
        kind = case.pop("kind")
        print(json.dumps({"train": train_step, "open_loop": open_loop}[kind](**case)))
        return
    repeats, how = 2 if arguments.quick else 7, {"precision": arguments.precision}
    if arguments.likelihoods:
        compare_likelihoods(repeats, arguments.precision)
        return
    print(f"{'case':26}{HEAD}   GiB")
    for batch in (1,) if arguments.quick else (1, 2, 4):
        row = row_of(__file__, {"kind": "train", "batch": batch, "repeats": repeats, **how})
        line = (
            f"{f'train step, batch {batch}':26}{shown(row, ORIGINAL_STEP[batch])} {row['gib']:5.2f}"
        )
        print(f"{line}  ({row['share']:.0%} of the matrix-product speed)", flush=True)
        if batch == 1:
            print(f"{'start-up to the first step':26}{row['start_up']:8.1f} s")
    row = row_of(__file__, {"kind": "open_loop", "repeats": min(repeats, 3), **how})
    print(f"{'open loop, per example':26}{shown(row, ORIGINAL_OPEN_LOOP)} {row['gib']:5.2f}")


if __name__ == "__main__":
    main()
