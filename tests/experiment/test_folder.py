"""A run's folder belongs to one configuration."""

from __future__ import annotations

import pytest
from run_files import all_values, quiet_train

from hvp.config import load_config
from hvp.errors import UserError
from hvp.experiment.checkpoints import load_experiment
from hvp.experiment.folder import open_run_folder


def test_a_run_with_other_settings_is_refused(copied_run, small_config, tmp_path):
    with pytest.raises(UserError, match=r"training.batch_size: 4 -> 2.*name=NEW"):
        quiet_train(load_config(small_config, ["training.batch_size=2"]), tmp_path)
    with pytest.raises(UserError, match=r"model.kernel_size: 5 -> 3"):
        quiet_train(load_config(small_config, ["model.kernel_size=3"]), tmp_path)
    allowed = ["training.steps=7", "training.log_every=1", "evaluation.context=1"]
    folder = quiet_train(load_config(small_config, allowed), tmp_path)
    assert load_config(folder / "config.yml").evaluation.context == 1
    assert int(all_values(folder)["step/.ATTRIBUTES/VARIABLE_VALUE"]) == 7


def test_a_checkpoint_of_another_configuration(copied_run, small_config):
    for override in ("model.kernel_size=3", "model.hidden=[4,4]"):
        load_config(small_config, [override]).save(copied_run / "config.yml")
        with pytest.raises(UserError, match="belongs to another configuration") as caught:
            load_experiment(copied_run)
        assert "\n" not in str(caught.value)


def test_a_run_with_a_schedule_keeps_its_length(small_config, tmp_path):
    config = load_config(small_config, ["training.schedule=onecycle"])
    folder = open_run_folder(config, tmp_path)
    (folder / "model/ckpt-1.index").write_text("")
    longer = load_config(small_config, ["training.schedule=onecycle", "training.steps=9"])
    with pytest.raises(UserError, match=r"training.steps: 6 -> 9"):
        open_run_folder(longer, tmp_path)
