"""Benchmarks the hierarchical residual model at the paper's sizes.

    python bench/hierarchical.py [--quick] [--likelihoods]

Prints one row a case: the train step (sequence length 100, batch 1, 2, 4; graph mode), start-up to
the first step, and open-loop evaluation (336 frames, context 36, batch 10, with frame metrics).
`--likelihoods` times the train step at batch 1 with each of the decoder's distributions instead.
Baseline: the original graph on two CPU cores (TensorFlow 2.4.1, figures measured on another day
on a machine of this size, good to a factor of 2). Beside it stands the share of the matrix-product
speed that this machine reaches in the same run.
"""

from __future__ import annotations

import argparse
import json
import time

STARTED = time.perf_counter()

from timing import in_own_process, machine_gflops, median_seconds, peak_gib  # noqa: E402

TRAIN_FRAMES = 100
CONTEXT, FRAMES, EXAMPLES = 36, 336, 10
# Forward; a train step costs about three times as much.
MFLOP_PER_FRAME = 150
# Seconds and GiB of the original: train step by batch size, open loop per example.
ORIGINAL_STEP = {1: (4.95, 1.2), 2: (12.0, 1.5), 4: (36.5, None)}
ORIGINAL_OPEN_LOOP = (8.3 + 0.43, 0.7)
ORIGINAL_START_UP = 9 + 21 + 13 + 19
LIKELIHOODS = ("normal", "laplace", "bernoulli", "logistic")


def train_step(batch: int, repeats: int, likelihood: str = "normal") -> dict[str, float]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import tensorflow as tf

    import hvp
    from hvp.config import TrainingConfig

    model = hvp.models.HierarchicalModel(likelihood=likelihood)
    model.configure_training(TrainingConfig())
    step = tf.function(model.train_step)
    shape = (batch, TRAIN_FRAMES, model.height, model.width, model.channels)
    videos = tf.random.stateless_uniform(shape, (0, 0))
    float(step(videos)["loss"])
    start_up = time.perf_counter() - STARTED
    seconds = median_seconds(lambda: float(step(videos)["loss"]), repeats)
    memory = peak_gib()
    flop = 3 * MFLOP_PER_FRAME * 1e6 * batch * TRAIN_FRAMES
    return {
        "seconds": seconds,
        "start_up": start_up,
        "gib": memory,
        "share": flop / seconds / 1e9 / machine_gflops(),
    }


def open_loop(repeats: int) -> dict[str, float]:
    from hvp.quiet import import_tensorflow

    import_tensorflow()
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

    seconds = median_seconds(run, repeats) / EXAMPLES
    memory = peak_gib()
    return {"seconds": seconds, "gib": memory}


def compare_likelihoods(repeats: int) -> None:
    print("train step, batch 1            ours      GiB")
    for likelihood in LIKELIHOODS:
        case = {"kind": "train", "batch": 1, "repeats": repeats, "likelihood": likelihood}
        row = in_own_process(__file__, case)
        print(f"{likelihood:26}{row['seconds']:9.3f} s {row['gib']:6.2f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="batch 1 only, two repeats")
    parser.add_argument("--likelihoods", action="store_true", help="the train step with each")
    parser.add_argument("--case", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.case:
        case = json.loads(arguments.case)
        kind = case.pop("kind")
        print(json.dumps({"train": train_step, "open_loop": open_loop}[kind](**case)))
        return
    repeats = 2 if arguments.quick else 7
    if arguments.likelihoods:
        compare_likelihoods(repeats)
        return
    print("case                           ours      GiB   original  ratio")
    for batch in (1,) if arguments.quick else (1, 2, 4):
        row = in_own_process(__file__, {"kind": "train", "batch": batch, "repeats": repeats})
        original, _ = ORIGINAL_STEP[batch]
        print(
            f"train step, batch {batch}        {row['seconds']:8.3f} s {row['gib']:6.2f} "
            f"{original:8.1f} s {original / row['seconds']:6.1f}   "
            f"({row['share']:.0%} of this machine's matrix-product speed)"
        )
        if batch == 1:
            print(
                f"start-up to the first step  {row['start_up']:8.1f} s        "
                f"{ORIGINAL_START_UP:8.1f} s {ORIGINAL_START_UP / row['start_up']:6.1f}"
            )
    row = in_own_process(__file__, {"kind": "open_loop", "repeats": min(repeats, 3)})
    original, _ = ORIGINAL_OPEN_LOOP
    print(
        f"open loop, per example      {row['seconds']:8.3f} s {row['gib']:6.2f} "
        f"{original:8.1f} s {original / row['seconds']:6.1f}"
    )


if __name__ == "__main__":
    main()
