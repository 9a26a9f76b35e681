"""Every Python snippet of README and docs/ runs, page by page, in a folder with a trained run."""

from __future__ import annotations

import sys
import types
from pathlib import Path

import numpy as np
import pytest
from pages import PAGES, blocks
from run_files import quiet_train

import hvp
import hvp.config
from hvp.data.sources import DATA_SETS
from hvp.families import FAMILIES
from hvp.metrics import METRICS

WITH_PYTHON = [
    name for name, page in PAGES.items() if any(b.language == "python" for b in blocks(page))
]
# The pages say what a user would write; here the models are small.
SMALL = {
    "hierarchical": [
        *(
            "data.seq_len=8",
            "model.levels=2",
            "model.enc_dense_embed_size=8",
            "model.channels_mult=0.125",
        ),
        *("model.cell_stoch_size=2", "model.cell_deter_size=8", "model.cell_embed_size=8"),
        *("data.train_videos=8", "data.test_videos=8", "training.gifs_every=0"),
        *("training.batch_size=2", "training.validate_every=0"),
    ],
    "motion_gan": ["model.width_factor=0.03", "model.content_layers=1"],
}
_load_config = hvp.config.load_config


def load_small(path, overrides=()):
    config = _load_config(path, overrides)
    return _load_config(path, [*SMALL.get(config.model.family, []), *overrides])


@pytest.fixture(scope="session")
def workspace(tmp_path_factory) -> Path:
    """A folder with `logs/demo` and `my_videos/first.gif`."""
    folder = tmp_path_factory.mktemp("workspace")
    config = load_small("demo", ["training.steps=1", "data.seq_len=4"])
    quiet_train(config, folder / "logs")
    (folder / "my_videos").mkdir()
    video = np.random.default_rng(0).integers(0, 256, (32, 40, 48, 3), np.uint8)
    hvp.data.write_gif(folder / "my_videos/first.gif", video)
    return folder


@pytest.mark.parametrize("page", WITH_PYTHON)
def test_snippets_run(page, workspace, monkeypatch):
    monkeypatch.chdir(workspace)
    monkeypatch.setattr(hvp.config, "load_config", load_small)
    for registry in (METRICS._others, DATA_SETS, FAMILIES._others):
        monkeypatch.setattr(registry, "_registered", dict(registry._registered))
    module = types.ModuleType("snippet")
    monkeypatch.setitem(sys.modules, "snippet", module)  # dataclasses look their module up
    for number, block in enumerate(blocks(PAGES[page]), 1):
        if block.language == "python" and block.not_run is None:
            code = compile(block.text, f"{page}, block {number}", "exec", dont_inherit=True)
            exec(code, vars(module))


def test_a_reason_is_given_for_what_is_not_run():
    reasons = [b.not_run for page in PAGES.values() for b in blocks(page) if b.not_run]
    assert len(reasons) <= 2
