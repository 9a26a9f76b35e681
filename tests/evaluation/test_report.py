"""The files of a report, read back."""

import csv
import dataclasses
import json
from html.parser import HTMLParser

import numpy as np
import pytest
from PIL import Image

from hvp.drawing.examples import Example
from hvp.errors import UserError
from hvp.evaluation.open_loop import KINDS, OpenLoopResult, OpenLoopSettings
from hvp.evaluation.report import write_report
from hvp.evaluation.scorecard.page import scorecard_section
from hvp.evaluation.scorecard.regions import find_regions
from hvp.evaluation.scorecard.tally import Regions, ScorecardTally
from hvp.evaluation.spectra import Spectrum
from hvp.metrics.statistics import CurveTally

CONTEXT, HORIZON = 4, 6
METRICS = ("mse", "psnr", "ssim")
ABOUT = {"experiment": "<kth> & co", "checkpoint": "logs/kth/model/ckpt-7", "checkpoint_step": 7}


def make_result(num_samples=5, contexts=3, channels=1, protocol="default"):
    random = np.random.default_rng(0)
    curves, examples = {}, [{"name": f"clip {i}"} for i in range(contexts)]
    for metric in METRICS:
        curves[metric] = {}
        for kind in KINDS:
            values = random.uniform(size=(contexts, HORIZON))
            tally = CurveTally()
            tally.update(values, [f"clip {i}" for i in range(contexts)])
            curves[metric][kind] = tally.curve()
            for row, value in zip(examples, values.mean(1), strict=True):
                row[f"{metric}_{kind}"] = value
    frame = (32, 24, channels)
    example = Example(
        name="clip 0",
        truth=random.integers(0, 256, (CONTEXT + HORIZON, *frame), dtype=np.uint8),
        samples=random.integers(0, 256, (min(3, num_samples), HORIZON, *frame), dtype=np.uint8),
        stddev=random.uniform(0, 0.3, (HORIZON, 32, 24)) if num_samples > 1 else None,
    )
    settings = OpenLoopSettings(
        CONTEXT, HORIZON, num_samples=num_samples, metrics=METRICS, protocol=protocol, seed=11
    )
    return OpenLoopResult(
        settings=settings,
        num_examples=contexts,
        num_videos=contexts,
        frame_shape=frame,
        curves=curves,
        examples=examples,
        gallery=[example],
        weights_sha256={"lpips/lin0.keras": "ab12"},
        spectra={
            domain: Spectrum(
                np.array([0.0, 0.5]),
                {kind: np.array([0.1, 0.01]) for kind in ("truth", "prediction", "error")},
            )
            for domain in ("spatial", "temporal")
        },
        scorecard=make_scorecard(num_samples, contexts),
    )


def make_scorecard(num_samples, contexts):
    frames = np.random.default_rng(1).uniform(size=(num_samples + 1, contexts, HORIZON, 32, 24, 1))
    frames = frames.astype(np.float32)
    tally = ScorecardTally(HORIZON, num_samples, stochastic=True)
    tally.keep(frames[1:])
    names = [f"clip {i}" for i in range(contexts)]
    tally.update(frames[0, :, :1], frames[0], names)
    tally.update_metrics({"mse": np.ones((num_samples, contexts, HORIZON))}, names)
    return tally.result()


@pytest.fixture(scope="module")
def result():
    """Of five samples and three contexts."""
    return make_result()


@pytest.fixture(scope="module")
def report(result, tmp_path_factory):
    """The folder of its report, which takes seconds to draw; not to be written to."""
    folder = tmp_path_factory.mktemp("report")
    write_report(result, folder, ABOUT)
    return folder


class Sources(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.files, self.open, self.tags, self.descriptions, self.text = [], [], set(), [], ""
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        attributes = dict(attributes)
        self.tags.add(tag)
        self.descriptions.append(attributes.get("alt", ""))
        if tag not in ("img", "meta", "br"):
            self.open.append(tag)
        link = attributes.get("src") or attributes.get("href")
        if link:
            self.files.append(link)

    def handle_data(self, data):
        self.text += data

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_numbers_are_those_of_the_result(result, report):
    numbers = json.loads((report / "metrics.json").read_text())
    curve = result.curves["psnr"]["best"]
    assert numbers["summary"]["psnr"]["best_of_n"]["mean"] == pytest.approx(curve.overall)
    assert numbers["summary"]["psnr"]["best_of_n"]["ci95"] == pytest.approx(curve.overall_interval)
    np.testing.assert_allclose(numbers["per_frame"]["psnr"]["best_of_n"]["mean"], curve.mean)

    with (report / "metrics.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert [int(row["predicted_frame"]) for row in rows] == list(range(1, HORIZON + 1))
    assert int(rows[0]["video_frame"]) == CONTEXT + 1
    card = result.scorecard.scores["crps"]["reliability"]
    found = numbers["scorecard"]["scores"]["crps"]["summary"]["reliability"]
    assert found == {"mean": card.overall, "ci95": card.overall_interval}
    np.testing.assert_allclose([float(row["crps_reliability"]) for row in rows], card.mean)
    assert len(numbers["scorecard"]["best_of_n"]["mse"]["mean"]) == 5
    assert len(numbers["scorecard"]["best_of_n"]["squared_error"]["calibrated"]) == 4
    baseline = result.curves["ssim"]["copy_last"]
    np.testing.assert_allclose([float(row["ssim_copy_last"]) for row in rows], baseline.mean)
    np.testing.assert_allclose(
        [float(row["ssim_copy_last_ci95"]) for row in rows], baseline.interval
    )
    with (report / "examples.csv").open() as file:
        assert [row["name"] for row in csv.DictReader(file)] == ["clip 0", "clip 1", "clip 2"]


def test_protocol_says_what_decided_the_numbers(tmp_path):
    write_report(make_result(num_samples=1, protocol="legacy"), tmp_path, ABOUT, gallery=False)
    protocol = json.loads((tmp_path / "metrics.json").read_text())["protocol"]
    expected = {
        "name": "legacy",
        "context": CONTEXT,
        "horizon": HORIZON,
        "num_contexts": 3,
        "num_samples": 1,
        "height": 32,
        "width": 24,
        "channels": 1,
        "seed": 11,
        "checkpoint_step": 7,
        "network_weights_sha256": {"lpips/lin0.keras": "ab12"},
        "predictions_clipped_by_model": False,
    }
    assert {key: protocol[key] for key in expected} == expected
    assert protocol["conventions"]["ssim"]["name"] == "legacy"
    assert "data range 2" in protocol["conventions"]["ssim"]["definition"]
    assert protocol["tensorflow_version"].startswith("2.")


HOSTILE = "\"><script>alert('x')</script>&amp;<b>"


def test_what_is_shown_is_never_taken_for_html(tmp_path):
    """Names of files and of experiments are text, also within attributes."""
    result = dataclasses.replace(make_result(), scorecard=make_scorecard(1, 3))  # no pictures
    result.gallery[0] = dataclasses.replace(result.gallery[0], name=HOSTILE)
    about = {**ABOUT, "experiment": HOSTILE, HOSTILE: HOSTILE, "of": {HOSTILE: HOSTILE}}
    page = write_report(result, tmp_path, about)
    sources = Sources(page.read_text(encoding="utf-8"))
    assert not sources.open
    assert "script" not in sources.tags
    assert sources.text.count(HOSTILE) == 8  # title, heading, example; settings: 2 keys, 3 values
    assert sum(HOSTILE in description for description in sources.descriptions) == 3


@pytest.mark.parametrize("channels", [1, 3])
def test_page_opens_from_disk_and_examples_move(tmp_path, channels, request):
    if channels == 1:
        tmp_path = request.getfixturevalue("report")
    else:
        result = dataclasses.replace(make_result(channels=channels), scorecard=make_scorecard(1, 3))
        write_report(result, tmp_path, ABOUT)
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    sources = Sources(text)
    assert not sources.open
    assert {"curves.png", "grid_1.png", "comparison_1.gif", "uncertainty_1.gif"} <= set(
        sources.files
    )
    assert all((tmp_path / file).is_file() for file in sources.files)
    assert "&lt;kth&gt; &amp; co" in text  # escaped
    for file, frames in (("comparison_1.gif", CONTEXT + HORIZON), ("uncertainty_1.gif", HORIZON)):
        with Image.open(tmp_path / file) as gif:
            assert gif.n_frames == frames
    for file in ("curves.png", "grid_1.png"):
        with Image.open(tmp_path / file) as image:
            assert np.asarray(image.convert("L")).std() > 10


def test_border_tells_context_from_prediction(tmp_path):
    result = make_result(channels=3)
    # Few colours, so that the palette keeps the border's.
    result.gallery[0].truth[:], result.gallery[0].samples[:] = 0, 255
    write_report(result, tmp_path, ABOUT)
    with Image.open(tmp_path / "comparison_1.gif") as gif:
        colours = []
        for frame in (CONTEXT - 1, CONTEXT):
            gif.seek(frame)
            pixels = np.asarray(gif.convert("RGB"))
            colours.append(pixels[-10, -8].astype(int))  # in the last sample's border
    assert colours[0][2] > colours[0][0] + 100  # blue
    assert colours[1][0] > colours[1][2] + 100  # orange


def test_without_gallery_the_curves_stay(tmp_path):
    write_report(make_result(), tmp_path, ABOUT, gallery=False)
    files = {path.name for path in tmp_path.iterdir()}
    numbers = {"metrics.json", "metrics.csv", "examples.csv"}
    figures = {"curves.png", "spectra.png", "scorecard.png", "regions.png"}
    assert files == {*numbers, *figures, "report.html"}


def test_one_sample_and_one_context(tmp_path):
    page = write_report(make_result(num_samples=1, contexts=1), tmp_path, ABOUT)
    report = json.loads((tmp_path / "metrics.json").read_text())
    assert report["summary"]["mse"]["mean_over_samples"]["ci95"] is None
    assert not (tmp_path / "uncertainty_1.gif").exists()
    text = page.read_text(encoding="utf-8")
    assert "Best of" not in text
    assert "at least two" in text


def test_unwritable_places(tmp_path):
    with pytest.raises(UserError, match="cannot write to"):
        write_report(make_result(), tmp_path / "absent", ABOUT)


def test_page_answers_whether_it_is_sharp_right_and_honest(report, tmp_path):
    page = Sources((report / "report.html").read_text())
    for words in ("Is it sharp?", "Is it right?", "Is its doubt honest?", "yes, on average"):
        assert words in page.text
    for picture in ("scorecard.png", "regions.png"):
        assert picture in page.files
        assert np.asarray(Image.open(report / picture)).std() > 10
    single = tmp_path / "single"
    single.mkdir()
    write_report(make_result(num_samples=1), single, ABOUT)
    text = Sources((single / "report.html").read_text()).text
    assert "judged as a point forecast" in text
    assert not (single / "scorecard.png").exists()


@pytest.mark.parametrize(
    ("ratio", "half", "words"),
    [(0.5, 0.1, "too sure"), (1.5, 0.1, "too unsure"), (0.85, 0.2, "yes"), (1.05, None, "yes")],
)
def test_verdict_of_doubt_follows_the_ratio_and_its_interval(ratio, half, words):
    section = scorecard_section(
        {
            "spectra": {
                "spatial": {"frequency": [0, 0.5], "truth": [1, 1], "prediction": [1, 0.3]}
            },
            "scorecard": {
                "num_samples": 5,
                "scores": {
                    "crps": {
                        "summary": {
                            "score": {"mean": 0.02, "ci95": 0.001},
                            "copy_last": {"mean": 0.04, "ci95": 0.001},
                        }
                    },
                    "spread_skill": {"summary": {"ratio": {"mean": ratio, "ci95": half}}},
                },
                "ranks": {
                    "pixels": {
                        "coverage": {"nominal": [0.67], "observed": [0.5]},
                        "mean_rank": {"mean": 0.6, "ci95": 0.01},
                    }
                },
            },
        }
    )
    sharp, right, honest = section["answers"]
    assert sharp["verdict"].startswith("no: blurred")
    assert right["verdict"].startswith("50%")
    assert honest["verdict"].startswith(words)
    assert "too dark" in honest["why"]


def test_worst_and_best_region_are_found_where_something_happens():
    skill = np.full((32, 32), 0.1)
    spread = skill.copy()
    spread[4:8, 12:16] = 0.01  # far too sure
    skill[28:, 28:] = spread[28:, 28:] = 1e-5  # nothing happens
    skill[:4, :4], spread[:4, :4] = 0.1, 0.11
    regions = find_regions(Regions(spread, skill))
    assert (regions["worst"].top, regions["worst"].left) == (4, 12)
    assert regions["worst"].ratio == pytest.approx(0.1)
    assert regions["best"].ratio == pytest.approx(1)
    assert find_regions(Regions(np.zeros((8, 8)), np.zeros((8, 8)))) == {}
