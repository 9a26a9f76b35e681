"""The command line of evaluation, on a stand-in for the trained model and the data."""

import csv
import json
import os
import signal
import time
from typing import ClassVar

import numpy as np
import pytest
import tensorflow as tf
import yaml

import hvp.experiment.checkpoints
import hvp.experiment.choosing
from hvp.__main__ import main
from hvp.models.base import VideoModel

CLIPS, FRAMES = 5, 10


class CopyLast(VideoModel):
    def _rollout(self, context, horizon, num_samples, seeds, masks):
        return tf.repeat(context[:, -1:], horizon, 1)[None]


class Split:
    """As `hvp.data.video_split.VideoSplit`, of random frames."""

    asked: ClassVar = {}

    def __init__(self, config, split, *, seq_len=None, seed=0, unusable_videos=None):
        Split.asked = {"config": config, "split": split, "unusable_videos": unusable_videos}
        self.num_windows, self.skipped, self.seq_len = CLIPS, ["broken.avi"], seq_len

    def choose_windows(self, limit, choice):
        Split.asked["windows"] = choice
        return range(self.num_windows)[:limit]

    def evaluation_batches(self, batch_size, windows, eight_bit=False):
        """Two neighbouring clips are of one video."""
        frames = np.random.default_rng(0).uniform(size=(CLIPS, self.seq_len, 16, 16, 1))
        data = {
            "video": frames.astype(np.float32)[list(windows)],
            "name": [f"clip{i}.avi" for i in windows],
            "source": [f"video{i // 2}.avi" for i in windows],
        }
        return tf.data.Dataset.from_tensor_slices(data).batch(batch_size)


@pytest.fixture
def experiment(tmp_path, monkeypatch):
    """A run's folder, `logs/toy`, whose model and data are stand-ins."""
    folder = tmp_path / "logs" / "toy"
    (folder / "model").mkdir(parents=True)
    evaluation = {"context": 4, "seq_len": FRAMES, "metrics": ["mse", "psnr"], "batch_size": 2}
    config = {"name": "toy", "seed": 3, "evaluation": evaluation}
    (folder / "config.yml").write_text(yaml.safe_dump(config))
    monkeypatch.setattr("hvp.data.video_split.VideoSplit", Split)
    checkpoints = hvp.experiment.checkpoints
    choosing = hvp.experiment.choosing
    monkeypatch.setattr(choosing, "find_checkpoint", lambda folder, which: f"{folder}/{which}")
    monkeypatch.setattr(
        checkpoints,
        "load_experiment",
        lambda path, checkpoint, overrides: (None, CopyLast(height=16, width=16), 42),
    )
    return folder


def read_rows(path):
    with path.open() as file:
        return list(csv.DictReader(file))


def reports(experiment):
    return sorted(experiment.glob("eval_*"))


def test_model_folder_and_defaults_of_the_experiment(experiment, capsys):
    assert main(["evaluate", "--logdir", str(experiment / "model")]) == 0
    (folder,) = reports(experiment)
    report = json.loads((folder / "metrics.json").read_text())
    protocol = report["protocol"]
    assert (protocol["context"], protocol["horizon"], protocol["num_contexts"]) == (4, 6, CLIPS)
    assert (protocol["num_videos"], protocol["windows"]) == ((CLIPS + 1) // 2, "spread")
    assert protocol["checkpoint_step"] == 42
    assert protocol["checkpoint"].endswith("latest")
    assert protocol["videos_left_out"] == ["broken.avi"]
    assert list(report["summary"]) == ["mse", "psnr"]
    assert (folder / "comparison_1.gif").is_file()
    printed = capsys.readouterr().out
    cost = report["cost"]
    assert cost["parameters"] == 0
    assert cost["milliseconds_per_frame"] > 0
    assert f"cost: {cost['in_words']}" in printed
    page = (folder / "report.html").read_text()
    assert cost["device"] in page
    assert not (folder / "predictions").exists()
    worst = min(read_rows(folder / "examples.csv"), key=lambda row: float(row["psnr_mean"]))
    assert report["extremes"]["psnr"]["worst"] == worst["name"]
    assert worst["name"] in page
    assert f"report: {folder / 'report.html'}" in printed
    assert "copy last frame" in printed


def test_predictions_are_kept(experiment):
    flags = "--save npz,PNG --save-examples 3 --num-samples 2 --no-save-grid"
    assert main(["evaluate", "--logdir", str(experiment), *flags.split()]) == 0
    (folder,) = reports(experiment)
    kept = sorted((folder / "predictions").glob("*/*"))
    assert [f"{path.parent.name}/{path.name}" for path in kept] == [
        f"000{number}_clip{number - 1}/{name}"
        for number in (1, 2, 3)
        for name in ("comparison.png", "prediction.npz")
    ]
    assert len(read_rows(folder / "predictions/samples.csv")) == 3 * 2


def test_flags(experiment):
    flags = (
        "--eval-seq-len 8 --open-loop-ctx 3 --num-examples 3 --num-samples 2 --batch-size 1 "
        "--seed 9 --protocol legacy --metrics ssim,mae --checkpoint best --no-save-grid "
        "--windows one_per_video "
        "--unusable-videos skip --datadir /some/where --use-obs TTF --set data.channels=1"
    )
    assert main(["evaluate", "--logdir", str(experiment), *flags.split()]) == 0
    (folder,) = reports(experiment)
    protocol = json.loads((folder / "metrics.json").read_text())["protocol"]
    expected = {
        "context": 3,
        "horizon": 5,
        "num_contexts": 3,
        "num_samples": 2,
        "batch_size": 1,
        "seed": 9,
        "data_seed": 3,  # other samples of the same test videos
        "name": "legacy",
        "use_obs": "TTF",
        "datadir": "/some/where",
        "split": "test",
    }
    assert {key: protocol[key] for key in expected} == expected
    assert list(protocol["conventions"]) == ["ssim", "mae"]
    assert protocol["checkpoint"].endswith("best")
    assert Split.asked["unusable_videos"] == "skip"
    assert Split.asked["windows"] == protocol["windows"] == "one_per_video"
    assert Split.asked["config"].datadir == "/some/where"
    assert not list(folder.glob("*.gif"))
    assert (folder / "curves.png").is_file()


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ("--open-loop-ctx 10", "(--open-loop-ctx) is 10 and leaves nothing to predict"),
        ("--open-loop-ctx 0", "--open-loop-ctx must be at least 1, found 0"),
        ("--set evaluation.context=0", "evaluation.context must be at least 1, found 0"),
        ("--num-samples 0", "--num-samples must be at least 1"),
        ("--batch-size -1", "--batch-size must be at least 1"),
        ("--set evaluation.batch_size=-1", "evaluation: batch_size must be at least 1, found"),
        ("--metrics mse,fvd", "unknown metric 'fvd'; valid: mse, mae, psnr, ssim, lpips"),
        ("--protocol legcy", "--protocol is 'legcy'; did you mean 'legacy'?"),
        ("--set evaluation.protocol=nonsense", "unknown protocol 'nonsense'; valid: default"),
        ("--save-examples 3", "nothing is saved without --save; add --save npz"),
        ("--save npz,avi", "--save is npz,avi: 'avi' is none of gif,mp4,png,npz"),
        ("--use-obs TXF", "use_obs must be letters T and F"),
        ("--use-obs TF", "use_obs has 2 entries for 3 levels"),
        ("--set evaluation.contxt=3", "did you mean 'evaluation.context'?"),
        ("--metrics lpips --weights-dir /nowhere", "/nowhere: slice_1_base.keras of lpips_alex"),
        ("--metrics mse,lpips --weights-dir /nowhere", "without LPIPS: --metrics mse"),
    ],
)
def test_mistakes_are_one_line_and_leave_nothing(experiment, capsys, flags, message):
    assert main(["evaluate", "--logdir", str(experiment), *flags.split()]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    assert not reports(experiment)


def test_folders_that_are_no_experiment(tmp_path, capsys):
    assert main(["evaluate", "--logdir", str(tmp_path / "absent")]) == 2
    assert "no such folder" in capsys.readouterr().err
    assert main(["evaluate", "--logdir", str(tmp_path)]) == 2
    assert "holds no config.yml" in capsys.readouterr().err


def test_use_obs_of_another_family(experiment, capsys):
    path = experiment / "config.yml"
    content = yaml.safe_load(path.read_text()) | {"model": {"family": "sdfnet"}}
    path.write_text(yaml.safe_dump(content))
    assert main(["evaluate", "--logdir", str(experiment), "--use-obs", "TTF"]) == 2
    assert "a sdfnet model has no levels" in capsys.readouterr().err


def test_unwritable_experiment(experiment, capsys, monkeypatch):
    def refuse(self, *args, **kwargs):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pathlib.Path.mkdir", refuse)
    assert main(["evaluate", "--logdir", str(experiment)]) == 2
    assert "choose a folder that you can write to" in capsys.readouterr().err


def test_full_disk_while_writing(experiment, capsys, monkeypatch):
    def full(self, *args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("pathlib.Path.write_text", full)
    assert main(["evaluate", "--logdir", str(experiment)]) == 2
    assert "the disk is full" in capsys.readouterr().err
    assert not reports(experiment)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted(experiment, capsys, monkeypatch, number):
    """The report's folder appears when it is complete, not before."""
    from hvp.evaluation import report

    def interrupted(result, folder, *rest, **options):
        (folder / "metrics.json").write_text("half")
        os.kill(os.getpid(), number)
        time.sleep(60)

    monkeypatch.setattr(report, "write_report", interrupted)
    before = signal.getsignal(signal.SIGINT)
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a background job ignores it
    try:
        assert main(["evaluate", "--logdir", str(experiment)]) == 128 + number
    finally:
        signal.signal(signal.SIGINT, before)
    assert capsys.readouterr().err.endswith("ted\n")
    assert sorted(os.listdir(experiment)) == ["config.yml", "model"]


def test_frames_too_small_for_lpips(experiment, capsys, lpips_weights):
    flags = ["--metrics", "lpips", "--weights-dir", str(lpips_weights)]
    assert main(["evaluate", "--logdir", str(experiment), *flags]) == 2
    error = capsys.readouterr().err
    assert "at least 31x31 pixels, these have 16x16" in error
    assert error.count("\n") == 1
