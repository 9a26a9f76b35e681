"""Keras' callbacks in our loop, and early stopping."""

from __future__ import annotations

import csv
import json

import keras
import pytest
from run_files import eager_functions, quiet_train

from hvp.config import TrainingConfig, load_config, parse_config
from hvp.errors import UserError
from hvp.training.callbacks import Callbacks, ValidationRecord, make_callbacks
from hvp.training.checks import check_alone
from hvp.training.trainer import train


class StopsAfter(keras.callbacks.Callback):
    def __init__(self, epochs):
        super().__init__()
        self.epochs, self.seen = epochs, []

    def on_train_batch_end(self, batch, logs=None):
        self.seen.append(("batch", batch, "loss" in logs))

    def on_epoch_end(self, epoch, logs=None):
        self.seen.append(("epoch", epoch, "loss" in logs and "val_loss" in logs))
        self.model.stop_training = epoch + 1 == self.epochs

    def on_train_end(self, logs=None):
        self.seen.append(("end", None, True))


def compiled(rate):
    model = keras.Sequential([keras.Input((1,)), keras.layers.Dense(1)])
    model.compile(keras.optimizers.Adam(rate))
    return model


def test_epochs_end_with_validations(tmp_path):
    """Also in a session that goes on in the middle of one; scalars are their means."""
    (logger,) = make_callbacks(TrainingConfig(callbacks={"CSVLogger": {}}), tmp_path)
    stops = StopsAfter(3)
    callbacks = Callbacks([logger, stops], compiled(1e-3), steps=4, total=12)
    callbacks.begin(6)
    for step, loss in ((7, 1.0), (8, 3.0), (9, 5.0)):
        callbacks.updated(step, {"loss": loss})
        if step == 8:
            callbacks.epoch_over(step, {"loss": 0.5})
    assert not callbacks.want_to_stop
    callbacks.epoch_over(12, {"loss": 0.25})
    assert callbacks.want_to_stop
    callbacks.end()
    with (tmp_path / "log.csv").open() as file:
        rows = [(row["epoch"], row["loss"], row["val_loss"]) for row in csv.DictReader(file)]
    assert rows == [("1", "2.0", "0.5"), ("2", "5.0", "0.25")]
    batches = [number for kind, number, _ in stops.seen if kind == "batch"]
    assert batches == [2, 3, 0]


@pytest.mark.slow
def test_keras_callbacks(small_config, tmp_path):
    """The learning rate falls after the second epoch: nothing improves by 1000."""
    plateau = "{monitor: val_loss, patience: 1, min_delta: 1000.0, factor: 0.5}"
    overrides = ["training.validate_every=1", "training.log_every=1"]
    overrides += [f"training.callbacks={{ReduceLROnPlateau: {plateau}, CSVLogger: {{}}}}"]
    stops, lines = StopsAfter(3), []
    with eager_functions():
        config = load_config(small_config, overrides)
        folder = train(config, tmp_path, report=lines.append, callbacks=[stops])
    assert [kind for kind, _, _ in stops.seen] == ["batch", "epoch"] * 3 + ["end"]
    assert all(known for _, _, known in stops.seen)
    assert "stopped early at step 3, which is saved" in lines
    assert (folder / "model/ckpt-3.index").is_file()
    with (folder / "log.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [row["epoch"] for row in rows] == ["0", "1", "2"]
    assert [float(row["learning_rate"]) for row in rows] == pytest.approx([1e-3, 1e-3, 5e-4])
    assert float(rows[2]["val_loss"]) > 0


@pytest.mark.slow
def test_early_stopping(small_config, tmp_path):
    overrides = ["training.validate_every=1", "training.learning_rate=0.0"]
    overrides += ["training.early_stopping={metric: loss, patience: 1}"]
    lines = []
    folder = quiet_train(load_config(small_config, overrides), tmp_path, report=lines.append)
    assert "stopped early at step 2, which is saved" in lines
    assert [row["step"] for row in json.loads((folder / "validation.json").read_text())] == [1, 2]
    again = []
    quiet_train(load_config(small_config, overrides), tmp_path, report=again.append)
    assert again[-1] == "nothing left to do: training.early_stopping has stopped this run"


def test_patience(tmp_path):
    record = ValidationRecord(tmp_path, 0)
    wanted = {"metric": "loss", "patience": 2}
    over = []
    for step, loss in enumerate([3.0, 2.0, 2.5, 1.0, 1.0, 1.5], 1):
        record.add(step, {"loss": loss})
        over.append(record.is_patience_over(wanted))
    assert over == [False] * 5 + [True]
    assert not record.is_patience_over(None)
    gone_back = ValidationRecord(tmp_path, 4)
    assert [row["loss"] for row in gone_back.rows] == [3.0, 2.0, 2.5, 1.0]
    with pytest.raises(UserError, match="metric is 'mse'; validation reports loss"):
        record.is_patience_over({"metric": "mse", "patience": 1})
    (tmp_path / "validation.json").write_text("[broken")
    assert ValidationRecord(tmp_path, 4).rows == []


@pytest.mark.parametrize(
    ("setting", "message"),
    [
        ({"callbacks": {"EarlyStoping": {}}}, "callbacks has 'EarlyStoping'; of Keras' there are"),
        ({"early_stopping": {"metric": "loss"}}, "early_stopping must be null or"),
        ({"early_stopping": {"metric": "loss", "patience": 0}}, "early_stopping must be null or"),
        ({"callbacks": 3}, "'training.callbacks' must be a mapping"),
    ],
)
def test_settings_that_are_refused(setting, message):
    with pytest.raises(UserError, match=message):
        parse_config({"name": "a", "training": setting}, "a.yml")


def test_callbacks_that_cannot_be(tmp_path):
    with pytest.raises(UserError, match="wandb needs wandb: pip install wandb"):
        make_callbacks(TrainingConfig(callbacks={"wandb": {}}), tmp_path)
    with pytest.raises(UserError, match=r"training.callbacks: CSVLogger: .*'seperator'"):
        make_callbacks(TrainingConfig(callbacks={"CSVLogger": {"seperator": ";"}}), tmp_path)
    model = compiled(keras.optimizers.schedules.CosineDecay(1.0, 5))
    plateau = keras.callbacks.ReduceLROnPlateau()
    with pytest.raises(UserError, match=r"follows a schedule; --set training.schedule=constant"):
        Callbacks([plateau], model, 1, 1)
    active = Callbacks([keras.callbacks.History()], model, 1, 1)
    with pytest.raises(UserError, match="on one machine"):
        check_alone(TrainingConfig(), active, cluster=object())
