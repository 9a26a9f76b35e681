"""Short trainings of DFDNet without its filter, with fixed and with learned thresholds.

    python bench/dfdnet_filter.py --steps 400 --seeds 0 1 2 --out filter.json

All three start at the same weights and see the same batches. `removed` is the share of the high
bins that the filters remove from the test clips' features.
"""

from __future__ import annotations

import argparse
import json
import time
from pathlib import Path
from unittest.mock import patch

from hvp.quiet import import_tensorflow

import_tensorflow()

import keras  # noqa: E402
import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402

from hvp.config import DataConfig, TrainingConfig  # noqa: E402
from hvp.data.video_split import VideoSplit  # noqa: E402
from hvp.layers.shared import SharedLayers  # noqa: E402
from hvp.models.dfdnet.axis_filter import AxisFilter  # noqa: E402
from hvp.models.dfdnet.model import DFDNet  # noqa: E402
from hvp.training.schedules import make_schedule  # noqa: E402

KINDS = ("none", "fixed", "learned")
FRAMES, TEST_CLIPS, BATCH, EVERY = 4, 64, 8, 100


def make_model(kind: str, seed: int, hidden: int, stddev: float = 1.0) -> DFDNet:
    """A narrow DFDNet whose weights do not depend on its filter."""
    settings = {
        "height": 32,
        "width": 32,
        "frames": FRAMES,
        "hidden": hidden,
        "blocks": [1, 1, 1, 1],
    }
    keras.utils.set_random_seed(seed)
    first = DFDNet(**settings)
    if kind == "fixed" and stddev == 1.0:
        return first
    values = {v.path.split("/", 1)[1]: keras.ops.convert_to_numpy(v) for v in first.variables}
    model = DFDNet(filter=kind, **settings)
    for variable in model.variables:
        name = variable.path.split("/", 1)[1]
        variable.assign(values[name] * (stddev if name.endswith("threshold") else 1.0))
    return model


def removed(model: DFDNet, context: tf.Tensor) -> float:
    """Share of the high bins that all filters together remove."""
    shares, filtered = [], AxisFilter._filter

    def measured(self: AxisFilter, lines: tf.Tensor) -> tf.Tensor:
        passing = self.mask(tf.signal.rfft(lines))
        shares.append(1.0 - float(tf.reduce_mean(passing[:, :, self.passing :])))
        return filtered(self, lines)

    # Functions that blocks share have no numbers to look at.
    alone = patch.object(SharedLayers, "__call__", lambda _, layer, x, **how: layer(x, **how))
    with patch.object(AxisFilter, "_filter", measured), alone:
        model(context, training=False)
    return float(np.mean(shares)) if shares else 0.0


def train(kind: str, seed: int, steps: int, hidden: int, stddev: float = 1.0) -> dict:
    """One run; its test scores on the way."""
    model = make_model(kind, seed, hidden, stddev)
    data = DataConfig(height=32, width=32, seq_len=2 * FRAMES, test_videos=TEST_CLIPS)
    training = TrainingConfig(
        learning_rate=3e-3, adam_epsilon=1e-8, clip_norm=None, schedule="onecycle",
        cycle_momentum=True,
    )  # fmt: skip
    model.configure_training(training, make_schedule(training, steps))
    batches = iter(VideoSplit(data, "train", seed=seed).training_batches(BATCH))
    tests = next(iter(VideoSplit(data, "test").evaluation_batches(TEST_CLIPS)))["video"]
    step_function, test_function = (
        tf.function(step, autograph=False) for step in (model.train_step, model.test_step)
    )
    curve, began = [], time.time()
    for step in range(steps + 1):
        if step % EVERY == 0:
            scalars = {name: float(value) for name, value in test_function(tests).items()}
            curve.append({"step": step, "removed": removed(model, tests[:8, :FRAMES]), **scalars})
        if step < steps:
            step_function(next(batches))
    about = {"filter": kind, "stddev": stddev, "seed": seed, "steps": steps, "hidden": hidden}
    return {**about, "seconds": round(time.time() - began), "curve": curve}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=400)
    parser.add_argument("--hidden", type=int, default=8)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    parser.add_argument("--out", default="filter.json")
    arguments = parser.parse_args()
    runs = []
    for seed in arguments.seeds:
        for kind in KINDS:
            runs.append(train(kind, seed, arguments.steps, arguments.hidden))
            Path(arguments.out).write_text(json.dumps(runs, indent=1) + "\n")
            last = runs[-1]["curve"][-1]
            print(f"seed {seed}  {kind:8}  mse {last['mse']:.5f}  removed {last['removed']:.2%}")


if __name__ == "__main__":
    main()
