"""Weights & Biases and MLflow as they are installed; hvp needs neither."""

from __future__ import annotations

import pytest
from run_files import quiet_train

from hvp.config import load_config

CURVES = ["training.steps=2", "training.validate_every=1", "training.log_every=1"]


def test_wandb_offline(small_config, tmp_path, monkeypatch):
    wandb = pytest.importorskip("wandb", reason="needs wandb")
    monkeypatch.setenv("WANDB_MODE", "offline")
    monkeypatch.setenv("WANDB_SILENT", "true")
    wanted = [*CURVES, "training.callbacks={wandb: {project: mine, log_freq: epoch}}"]
    folder = quiet_train(load_config(small_config, wanted), tmp_path)
    assert wandb.run is None  # so that another training begins its own
    (record,) = folder.glob("wandb/offline-run-*/*.wandb")
    content = record.read_bytes()
    assert b"epoch/loss" in content
    assert b"epoch/val_loss" in content
    assert b"mine" in content


def test_mlflow_in_a_database(small_config, tmp_path, monkeypatch):
    mlflow = pytest.importorskip("mlflow", reason="needs mlflow")
    address = f"sqlite:///{tmp_path}/mlflow.db"
    monkeypatch.setenv("MLFLOW_TRACKING_URI", address)
    monkeypatch.chdir(tmp_path)
    mlflow.set_tracking_uri(address)
    wanted = [*CURVES, "training.callbacks={mlflow: {experiment: mine}}"]
    folder = quiet_train(load_config(small_config, wanted), tmp_path / "logs")
    client = mlflow.MlflowClient(address)
    (run,) = client.search_runs([client.get_experiment_by_name("mine").experiment_id])
    assert (run.info.run_name, run.info.status) == (folder.name, "FINISHED")
    assert run.data.params["training.steps"] == "2"
    history = client.get_metric_history(run.info.run_id, "val_loss")
    assert [metric.step for metric in history] == [0, 1]
