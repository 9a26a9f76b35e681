"""The scripts as a user starts them."""

from __future__ import annotations

import json
import runpy
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def start(*arguments, cwd=ROOT):
    return subprocess.run(
        [sys.executable, *map(str, arguments)], cwd=cwd, capture_output=True, text=True, timeout=300
    )


def test_train_then_evaluate(small_config, tmp_path, monkeypatch, capsys):
    logs = tmp_path / "logs"
    settings = ("--set", "seed=4", "--set", "training.steps=3")
    trained = start("train.py", "--config", small_config, "--logdir", logs, *settings)
    assert trained.returncode == 0, trained.stderr
    assert not trained.stderr
    folder = logs / "small"
    assert f"run: {folder}" in trained.stdout
    assert "step 3/3" in trained.stdout
    assert "seed: 4" in (folder / "config.yml").read_text()
    assert (folder / "model/ckpt-3.index").is_file()
    assert list((folder / "model/best").glob("ckpt-*.index"))
    flags = ("--num-samples", "2", "--metrics", "mse")
    arguments = ["eval_with_lpips.py", "--logdir", str(folder / "model"), *flags]
    monkeypatch.setattr(sys, "argv", arguments)
    with pytest.raises(SystemExit) as ended:  # in this process, which has imported TensorFlow
        runpy.run_path(str(ROOT / "eval_with_lpips.py"), run_name="__main__")
    assert ended.value.code == 0
    (report,) = folder.glob("eval_*/report.html")
    assert str(report) in capsys.readouterr().out
    numbers = json.loads((report.parent / "metrics.json").read_text())
    assert numbers["protocol"]["num_samples"] == 2


def test_a_mistake_is_answered_at_once_without_tensorflow(small_config):
    code = (
        "import sys; from hvp.__main__ import main;"
        "code = main(sys.argv[1:]); print('tensorflow' in sys.modules, code)"
    )
    result = start("-c", code, "train", "--config", small_config, "--set", "training.stepz=1")
    assert result.stdout == "False 2\n"
    assert result.stderr == (
        "error: --set training.stepz=1: unknown key 'training.stepz'; did you mean "
        "'training.steps'?\n"
    )


def test_import_is_light_and_quiet():
    code = (
        "import sys, hvp, hvp.metrics, hvp.models, hvp.data, hvp.training; "
        "print('tensorflow' in sys.modules, hvp.__version__)"
    )
    result = start("-c", code)
    assert (result.stdout, result.stderr) == ("False 0.1.0\n", "")


@pytest.mark.slow
def test_tensorflow_is_quiet_in_python_too(tmp_path):
    """And Keras knows our classes by their names, without an import of ours."""
    tiny = "height=16, width=16, code_size=8, latent_size=2, recurrent_size=8"
    written = start("-c", f"import hvp; hvp.models.SVGLP({tiny}).save('m.keras')", cwd=tmp_path)
    assert (written.returncode, written.stdout, written.stderr) == (0, "", "")
    code = "import keras, hvp; print(type(keras.models.load_model('m.keras')).__module__)"
    read = start("-c", code, cwd=tmp_path)
    assert (read.returncode, read.stdout) == (0, "hvp.models.svg_lp.model\n"), read.stderr


@pytest.mark.parametrize(
    ("arguments", "usage"),
    [
        (["train.py", "--help"], "python train.py [-h] --config CONFIG"),
        (["eval_with_lpips.py", "--help"], "python eval_with_lpips.py [-h] (--logdir LOGDIR"),
        (["-m", "hvp", "train", "--help"], "python -m hvp train [-h] --config CONFIG"),
        (["-m", "hvp", "--help"], "python -m hvp COMMAND ..."),
    ],
)
def test_every_door_leads_to_the_same_commands(arguments, usage):
    result = start(*arguments)
    assert (result.returncode, result.stderr) == (0, "")
    assert result.stdout.startswith(f"usage: {usage}")
