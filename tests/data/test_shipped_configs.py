"""Every shipped configuration trains, and is evaluated on data as they are published."""

from __future__ import annotations

import json
from pathlib import Path

import keras
import pytest
from published import PUBLISHED

from hvp.__main__ import main
from hvp.config import load_config
from hvp.data.sources import data_set
from hvp.families import FAMILIES

ROOT = Path(__file__).parents[2]
# `own` fits its lengths to the user's videos; it has tests of its own.
SHIPPED = sorted({path.stem for path in (ROOT / "configs").glob("*.yml")} - {"base", "own"})
# Those that are shipped for generated data and name a published form of them as well.
ALSO = [("mmnist", "moving_mnist"), ("cwvae_mmnist", "moving_mnist"), ("sdfnet_mmnist", "digits")]
# What size alone forces: widths and depths, of which nothing here depends.
NARROW = {
    "hierarchical": (
        "channels_mult=0.125 enc_dense_embed_size=16 cell_stoch_size=4 cell_deter_size=8 "
        "cell_embed_size=8"
    ),
    "sdfnet": "hidden=16 blocks=[1,1,1,1]",
    "dfdnet": "hidden=8 blocks=[1,1,1,1]",
    "simvp": "hidden=8 translator_width=16 translator_blocks=2",
    "convlstm": "hidden=[8,8]",
    "svg_lp": "code_size=8 recurrent_size=16",
    "fusion": (
        "predictor_filters=[4,4,4,4,4] translator_filters=[4,4,4,4,4] "
        "discriminator_filters=[4,4,4,4]"
    ),
    "motion_gan": "width_factor=0.015625 content_dim=8 motion_dim=8 content_layers=2",
}
SMALLER = {
    "fusion_davis": ("data.height=120", "data.width=160"),  # 7 GB of memory at 480x640
    "svg_lp_kth": ("model.backbone=dcgan",),  # vgg's widths are fixed: 5 GB
}
# And two updates, of two windows, and two contexts instead of hundreds.
FEW = (
    "data.train_videos=50",
    "data.test_videos=2",
    "training.steps=2",
    "training.batch_size=2",
    "training.validation_batches=1",
    "training.gifs_every=0",
    "evaluation.num_examples=2",
    "evaluation.batch_size=1",
)


def published_form(config):
    """The data set's name among `PUBLISHED`; `None` for generated data, which are of any length."""
    generated = config.data.datadir is None and data_set(config.data.dataset).generated
    return None if generated else config.data.dataset


@pytest.mark.parametrize(
    ("name", "form"),
    [*((name, None) for name in SHIPPED), *ALSO],
    ids=lambda value: value,
)
def test_windows_fit_the_videos_that_are_published(name, form):
    config = load_config(ROOT / f"configs/{name}.yml")
    form = form or published_form(config)
    evaluation, generates = config.evaluation, FAMILIES[config.model.family].generates
    assert generates or 0 < evaluation.context < evaluation.seq_len
    if form is None:
        return
    published, step = PUBLISHED[form], config.data.frame_step
    needed = [(config.data.seq_len, config.data.max_video_len, config.data, published.train)]
    if not generates:
        needed.append((evaluation.seq_len, None, evaluation, published.test))
    for frames, limit, section, lengths in needed:
        assert frames * step <= min(lengths.longest, limit or lengths.longest)
        assert frames * step <= lengths.shortest or section.unusable_videos == "skip"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """`data(form, size, frames)`: a folder of a published form, prepared where that is the way."""
    made = {}

    def build(form, size, frames):
        if (form, size) not in made:
            folder = tmp_path_factory.mktemp("data")
            PUBLISHED[form].build(folder / "raw", frames)
            made[form, size] = folder / "raw"
            if PUBLISHED[form].prepared:
                made[form, size] = folder / "made"
                arguments = ["--source", str(folder / "raw"), "--out", str(folder / "made")]
                assert main(["prepare", form, *arguments, "--size", f"{size[0]}x{size[1]}"]) == 0
        return made[form, size]

    return build


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "form"),
    [*((name, None) for name in SHIPPED), *ALSO],
    ids=lambda value: value,
)
def test_it_trains_and_is_evaluated_as_its_data_set_is_published(
    name, form, data, tmp_path, monkeypatch, lpips_weights, i3d_checkpoint
):
    keras.utils.clear_session()  # of the configuration before
    monkeypatch.setenv("HVP_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("HVP_WEIGHTS_DIR", str(lpips_weights))
    path = str(ROOT / f"configs/{name}.yml")
    shipped = load_config(path)
    form = form or published_form(shipped)
    family, evaluation = shipped.model.family, shipped.evaluation
    overrides = [
        *FEW,
        *SMALLER.get(name, ()),
        *(f"model.{change}" for change in NARROW[family].split()),
    ]
    if form is not None:
        step = shipped.data.frame_step
        longest = 0 if FAMILIES[family].generates else evaluation.seq_len
        frames = step * max(shipped.data.seq_len, longest) + 5
        folder = data(form, (shipped.data.height, shipped.data.width), frames)
        overrides.append(f"data.datadir={folder}")
    flags = [word for override in overrides for word in ("--set", override)]
    assert main(["train", "--config", path, "--logdir", str(tmp_path), *flags]) == 0
    run = tmp_path / shipped.name
    if FAMILIES[family].generates:
        measure = ["--protocol", "fvd2_16f", "--weights", str(i3d_checkpoint)]
        assert main(["fvd", "--logdir", str(run), *measure]) == 0
        return
    samples = str(min(2, evaluation.num_samples))
    flags = ["--num-samples", samples, "--checkpoint", "best"]
    assert main(["evaluate", "--logdir", str(run), *flags]) == 0
    (report,) = run.glob("eval_*/metrics.json")
    content = json.loads(report.read_text())
    protocol = content["protocol"]
    assert protocol["context"] == evaluation.context
    assert protocol["horizon"] == evaluation.seq_len - evaluation.context
    assert list(content["summary"]) == evaluation.metrics
