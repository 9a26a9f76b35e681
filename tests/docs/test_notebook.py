"""`notebooks/quickstart.ipynb` runs from its first cell to its last."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "notebooks/quickstart.ipynb"


def test_it_is_stored_without_outputs():
    cells = json.loads(NOTEBOOK.read_text("utf-8"))["cells"]
    code = [cell for cell in cells if cell["cell_type"] == "code"]
    assert len(code) >= 6
    for cell in code:
        assert not cell["outputs"]
        compile("".join(cell["source"]), "cell", "exec")


@pytest.mark.slow
def test_it_runs(tmp_path, monkeypatch):
    nbformat = pytest.importorskip("nbformat")
    nbclient = pytest.importorskip("nbclient")
    monkeypatch.setenv("QUICKSTART_STEPS", "2")
    monkeypatch.setenv("PYTHONPATH", str(NOTEBOOK.parents[1]))
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbclient.NotebookClient(
        notebook, timeout=600, resources={"metadata": {"path": str(tmp_path)}}
    ).execute()
    assert (tmp_path / "futures.gif").stat().st_size > 0
    assert (tmp_path / "quickstart.keras").is_file()
    assert (tmp_path / "served/saved_model.pb").is_file()
    (shown,) = (o for cell in notebook.cells for o in cell.get("outputs", []) if "data" in o)
    assert "image/gif" in shown["data"]
