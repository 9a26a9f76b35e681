"""SDFNet through the trainer and the evaluator: nothing there is for one family only."""

from __future__ import annotations

import json

import pytest

from hvp.__main__ import main
from hvp.config import load_config
from hvp.errors import UserError
from hvp.training.trainer import train

SMALL = [
    "data.height=16",
    "data.width=16",
    "data.seq_len=8",
    "data.train_videos=8",
    "data.test_videos=4",
    "model.frames=4",
    "model.hidden=8",
    "model.blocks=[1, 1, 1, 1]",
    "model.involution_kernels=[1, 3, 3, 3]",
    "training.batch_size=4",
    "training.steps=3",
    "training.gifs_every=3",
    "evaluation.context=4",
    "evaluation.seq_len=12",
]


@pytest.mark.slow
def test_train_and_evaluate_past_the_trained_horizon(tmp_path, capsys):
    config = load_config("configs/sdfnet_demo.yml", SMALL)
    folder = train(config, tmp_path, report=lambda line: None)
    for protocol in ("simvp", "simvp-legacy"):
        assert main(["evaluate", "--logdir", str(folder), "--protocol", protocol]) == 0
    pages = [json.loads(path.read_text()) for path in folder.glob("eval_*/metrics.json")]
    assert {page["protocol"]["name"] for page in pages} == {"simvp", "simvp-legacy"}
    for numbers in pages:
        assert numbers["protocol"]["horizon"] == 8
        assert len(numbers["spectra"]["temporal"]["truth"]) == 5
        # Sums over a frame's pixels, so far above a mean of squares of numbers in [0, 1].
        assert numbers["summary"]["mse"]["copy_last_frame"]["mean"] > 1
    assert main(["evaluate", "--logdir", str(folder), "--open-loop-ctx", "3"]) == 2
    assert "needs at least 4 frames of context" in capsys.readouterr().err


def test_windows_that_are_too_short(tmp_path):
    config = load_config("configs/sdfnet_demo.yml", [*SMALL, "data.seq_len=7"])
    with pytest.raises(UserError, match=r"data\.seq_len is 7; .* at least 8 frames"):
        train(config, tmp_path, report=lambda line: None)
