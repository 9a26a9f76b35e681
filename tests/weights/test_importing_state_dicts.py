"""Published PyTorch state dicts become experiments."""

from __future__ import annotations

import sys

import numpy as np
import pytest

from hvp.__main__ import main
from hvp.errors import UserError
from hvp.experiment.checkpoints import load_experiment
from hvp.weights.pytorch import read_state_dict
from hvp.weights.reference import from_reference

NEEDS_TORCH = "PyTorch is absent; with it this test proves that its files are read"

CONFIG = """\
name: small
data: {height: 32, width: 32}
model:
  family: sdfnet
  frames: 4
  hidden: 16
  blocks: [1, 6, 2, 6]
"""


def run(tmp_path, path, content=CONFIG):
    config = tmp_path / "small.yml"
    config.write_text(content)
    logs = tmp_path / "logs"
    return main(
        [
            "import-weights",
            "--checkpoint",
            str(path),
            "--config",
            str(config),
            "--logdir",
            str(logs),
        ]
    )


@pytest.mark.parametrize("layout", ["bare", "net"])
def test_both_layouts(golden, tmp_path, layout):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    values = golden("seeded/sdfnet")
    state = {name: torch.from_numpy(array.copy()) for name, array in values.weights.items()}
    state["hid1.net.stem.0.bn.num_batches_tracked"] = torch.tensor(3)
    path = tmp_path / "checkpoint.pth"
    torch.save({"net": state} if layout == "net" else state, path)
    assert run(tmp_path, path) == 0
    _, model, _ = load_experiment(tmp_path / "logs/small")
    predicted = np.asarray(model(values["inputs_video"][:, :4] / np.float32(255)))
    expected = values["outputs_eval"].transpose(0, 1, 3, 4, 2)
    assert np.abs(predicted - expected).max() < 2e-4 * expected.std()


RIVALS = {
    "simvp_tau": """\
name: small
data: {height: 32, width: 32}
model:
  family: simvp
  frames: 4
  hidden: 16
  translator: TAU
  translator_width: 32
  translator_blocks: 4
""",
    "convlstm": """\
name: small
data: {height: 32, width: 32}
model: {family: convlstm, context: 4, hidden: [16, 16]}
""",
}


@pytest.mark.parametrize("name", RIVALS)
def test_state_dicts_of_openstl(golden, tmp_path, name):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    values = golden(f"seeded/{name}")
    state = {key: torch.from_numpy(array.copy()) for key, array in values.weights.items()}
    torch.save({"epoch": 1, "state_dict": state}, tmp_path / "latest.pth")
    assert run(tmp_path, tmp_path / "latest.pth", RIVALS[name]) == 0
    _, model, _ = load_experiment(tmp_path / "logs/small")
    original = from_reference(values.config, values.weights)
    for ours, theirs in zip(model.variables, original.variables, strict=True):
        np.testing.assert_array_equal(ours, theirs, err_msg=ours.path)


def test_files_that_hold_no_state_dict(tmp_path, capsys):
    torch = pytest.importorskip("torch", reason=NEEDS_TORCH)
    path = tmp_path / "checkpoint.pth"
    assert run(tmp_path, path) == 2
    path.write_text("words")
    assert run(tmp_path, path) == 2
    torch.save([1, 2], path)
    assert run(tmp_path, path) == 2
    torch.save({"a": torch.zeros(2)}, path)
    assert run(tmp_path, path) == 2
    lines = capsys.readouterr().err.splitlines()
    for line, part in zip(
        lines,
        ("no such checkpoint", "cannot be read", "holds no state dict", "unexpected a"),
        strict=True,
    ):
        assert line.startswith("error: ")
        assert part in line


def test_without_pytorch(tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    path = tmp_path / "checkpoint.pth"
    path.write_bytes(b"anything")
    with pytest.raises(UserError, match="PyTorch is needed to read it"):
        read_state_dict(path)
