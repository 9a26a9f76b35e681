"""What is timed of an experiment: updates, predictions or generated videos, reading its data.

`python -m hvp.timing.cases JSON` runs one `Case` and prints its rows: a process of its own, so that
its peak memory is that of the case.
"""

from __future__ import annotations

import collections
import dataclasses
import json
import sys
from collections.abc import Callable
from functools import partial
from typing import Any

import tensorflow as tf

from hvp.config import ExperimentConfig, TrainingConfig, parse_config
from hvp.data.video_split import VideoSplit
from hvp.errors import UserError, command
from hvp.evaluation.cost import device_name, forget_memory, peak_memory_gib
from hvp.evaluation.operations import count_operations
from hvp.experiment.checkpoints import build_checked_model
from hvp.families import FAMILIES
from hvp.models.base import VideoModel
from hvp.timing.clock import PRODUCT_FLOP, measure, of_each
from hvp.training.batches import replica_batches, training_batches
from hvp.training.checks import check_window
from hvp.training.distribution import check_batch_size, hide_other_devices, make_strategy
from hvp.training.schedules import make_schedule
from hvp.training.trainer import numerics
from hvp.training.updates import Updates

SCHEDULED = 1000  # updates whose functions are looked at, and that the learning rate is made for


@dataclasses.dataclass(frozen=True)
class Case:
    """What one process times.

    Attributes:
        kind: `train`, `rollout` or `input`.
        config: as `ExperimentConfig.to_dict` gives it, with lengths in place of `auto`.
        repeats: of which the median is told.
        count: whether operations are counted as well.
    """

    kind: str
    config: dict[str, Any]
    repeats: int
    count: bool = True


def rows_of(case: Case) -> list[dict[str, Any]]:
    """Times a case in this process.

    Returns:
        A row for each kind of update, one of the others: `what` was timed, `seconds` and the rest
        of `measure`, `frames_per_second`, `flop` and `share` of the machine's matrix-product speed
        (`None` where they are not counted), `peak_memory_gib`, `memory_of`, `device`.

    Raises:
        UserError: for settings that do not go together, and where there are no data to read.
    """
    config = parse_config(case.config, "the configuration")
    if case.kind == "train":  # the matrix products are timed on the same device
        hide_other_devices(config.training.strategy)
    forget_memory()
    with numerics(config.training):
        rows = {"train": _train, "rollout": _rollout, "input": _input}[case.kind](config, case)
    for row in rows:
        flop, products = row.setdefault("flop", None), row["products"]
        row["share"] = None if flop is None else flop / (products * PRODUCT_FLOP)
        row["frames_per_second"] = row.pop("frames") / row["seconds"]
        row["device"] = device_name()
    return rows


def _train(config: ExperimentConfig, case: Case) -> list[dict[str, Any]]:
    """An update by each function that the family trains by, on one batch that stays in memory."""
    training = config.training
    strategy = make_strategy(training.strategy)
    check_batch_size(training.batch_size, strategy, "training.batch_size")
    with strategy.scope():
        model = build_checked_model(config)
        check_window(config, model)
        model.configure_training(training, make_schedule(training, SCHEDULED))
    batch, videos = _batch(config, model, training.batch_size, config.data.seq_len)
    once = tf.data.Dataset.from_tensors(batch).repeat()
    batches = iter(
        strategy.distribute_datasets_from_function(lambda context: replica_batches(once, context))
    )
    functions = collections.Counter(model.step_function(step) for step in range(SCHEDULED))
    rows = []
    for function, times in functions.most_common():
        row = _updates(training, strategy, function, batches, case.repeats)
        share = "" if len(functions) == 1 else f", {function.__name__} ({times / SCHEDULED:.1%})"
        row |= {"what": f"train step{share}", "videos": videos, **_memory()}
        rows.append(row | {"frames": training.batch_size * config.data.seq_len})
    if case.count and strategy.num_replicas_in_sync == 1:  # more run in threads of their own
        for row, (function, _) in zip(rows, functions.most_common(), strict=True):
            row["flop"] = _counted(partial(strategy.run, function, args=(batch,)))
    return rows


def _updates(
    training: TrainingConfig,
    strategy: tf.distribute.Strategy,
    function: Callable[..., Any],
    batches: Any,
    repeats: int,
) -> dict[str, Any]:
    """Times of updates by one function, and the loss of the first."""
    per_call = training.steps_per_call
    updates = Updates(strategy, lambda step: function, per_call, training.xla)
    updates.run(batches, 0, 1)
    loss = updates.scalars()["loss"]  # of the same weights, whatever the precision

    def run() -> None:
        updates.run(batches, 1, per_call)
        updates.scalars()

    return {**of_each(measure(run, repeats), per_call), "loss": loss}


def _rollout(config: ExperimentConfig, case: Case) -> list[dict[str, Any]]:
    """A batch of predictions as the evaluation makes them, one sample each; or a video."""
    model = build_checked_model(config)
    if FAMILIES[config.model.family].generates:
        frames, videos = config.model.video_length, None
        what, run = f"generate a video of {frames} frames", partial(model.generate, 1, frames, 0)
    else:
        settings = config.evaluation
        horizon = settings.seq_len - settings.context
        if min(horizon, settings.context) < 1:
            raise UserError("evaluation.seq_len leaves nothing to predict of evaluation.context")
        batch, videos = _batch(config, model, settings.batch_size, settings.context)
        context, masks = (batch["video"], batch["masks"]) if model.needs_masks else (batch, None)
        what, frames = f"rollout {settings.context} -> {horizon}", settings.batch_size * horizon
        run = partial(model.rollout, context, horizon, seed=0, masks=masks)
    row = measure(lambda: run().numpy(), case.repeats) | _memory()
    row |= {"what": what, "frames": frames, "videos": videos}
    return [row | {"flop": _counted(run) if case.count else None}]


def _input(config: ExperimentConfig, case: Case) -> list[dict[str, Any]]:
    """The next training batch, with nothing else to do."""
    training = config.training
    split = VideoSplit(config.data, "train", seed=config.seed)
    batches = iter(training_batches(make_strategy("cpu"), split, training.batch_size, 0))
    row = measure(lambda: next(batches), case.repeats) | _memory()
    frames = training.batch_size * config.data.seq_len
    return [row | {"what": "read a batch", "frames": frames, "videos": "data"}]


def _batch(config: ExperimentConfig, model: VideoModel, size: int, frames: int) -> tuple[Any, str]:
    """A batch, and what it is of: `data`, or `noise` where the data set is not on the machine."""
    data = dataclasses.replace(config.data, seq_len=frames)
    try:
        split = VideoSplit(data, "train", seed=config.seed)
        return next(iter(split.training_batches(size))), "data"
    except UserError as error:
        print(f"note: on noise, as there are no data to read: {error}", file=sys.stderr)
    video = tf.random.stateless_uniform((size, frames, *model.frame_shape), (0, 0))
    if not model.needs_masks:
        return video, "noise"
    objects = tf.random.stateless_uniform(video.shape[:-1], (0, 1), maxval=4, dtype=tf.int32)
    return {"video": video, "masks": tf.cast(objects, tf.uint8)}, "noise"


def _counted(run: Callable[[], Any]) -> int | None:
    try:
        return count_operations(run)
    except Exception as error:  # a family of somebody else may need graphs; its times stand
        print(f"note: operations are not counted: {error}", file=sys.stderr)
        return None


def _memory() -> dict[str, Any]:
    peak, of = peak_memory_gib()
    return {"peak_memory_gib": None if peak is None else round(peak, 3), "memory_of": of}


@command
def main() -> None:
    """One case, of the last argument; the rows are the last line that is printed."""
    rows = rows_of(Case(**json.loads(sys.argv[-1])))
    print(json.dumps(rows))


if __name__ == "__main__":
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    sys.exit(main())
