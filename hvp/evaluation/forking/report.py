"""What `evaluate_law` found: `law.json`, a table and a figure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hvp.errors import writing

# (key of a summary, heading, whether an oracle's own value stands beside it)
COLUMNS = (
    ("total_variation", "total variation", "total_variation_of_oracle"),
    ("kl", "KL (nats)", None),
    ("log_score", "log score", "log_score_of_law"),
    ("modes_visited", "modes visited", "modes_visited_by_oracle"),
    ("rare_branch", "rare branch", "rare_branch_of_law"),
    ("lamp_error", "lamp", None),
    ("possible_frames", "possible frames", None),
    ("possible_to_the_end", "possible to the end", None),
)


def write_law(result: Mapping[str, Any], folder: Path) -> None:
    """Writes `law.json`, `law.md` and `law.png` into `folder`."""
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "law.json").write_text(json.dumps(result, indent=1), encoding="utf-8")
        (folder / "law.md").write_text(law_table(result), encoding="utf-8")
        _figure(result).savefig(folder / "law.png")


def law_table(result: Mapping[str, Any]) -> str:
    """A row a forecast, in Markdown; after each mean its 95 % half width."""
    lines = ["| forecast | " + " | ".join(heading for _, heading, _ in COLUMNS) + " |"]
    lines.append("|---" * (len(COLUMNS) + 1) + "|")
    some = next(iter(result["forecasts"].values()))
    expected = (f"{some[beside]['mean']:.3f}" if beside else "" for *_, beside in COLUMNS)
    for name, summary in result["forecasts"].items():
        cells = (_cell(summary[key]) for key, *_ in COLUMNS)
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    lines.append("| (expected of an oracle) | " + " | ".join(expected) + " |")
    return "\n".join(lines) + "\n"


def _cell(value: Mapping[str, float]) -> str:
    interval = value["interval"]
    return f"{value['mean']:.3f}" + (f" ± {interval:.3f}" if np.isfinite(interval) else "")


def _figure(result: Mapping[str, Any]) -> Figure:
    """Calibration of branches, and how long samples stay possible."""
    figure = Figure(figsize=(10, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    calibration, possible = figure.subplots(1, 2)
    calibration.plot([0, 1], [0, 1], color="#9ca3af", lw=1)
    for name, summary in result["forecasts"].items():
        points = summary["calibration"]
        calibration.plot(
            [p["forecast"] for p in points], [p["came_true"] for p in points], "o-", label=name
        )
    calibration.set_xlabel("frequency of an outcome among the samples")
    calibration.set_ylabel("how often it came true")
    calibration.set_title("Is its doubt honest?", loc="left", fontsize=10)
    names = list(result["forecasts"])
    frames = [result["forecasts"][name]["possible_frames"]["mean"] for name in names]
    possible.barh(names, frames, color="#2563eb")
    possible.axvline(result["protocol"]["horizon"], color="#9ca3af", lw=1)
    possible.invert_yaxis()
    possible.set_xlabel("predicted frames until a sample stops being a possible video")
    figure.legend(*calibration.get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure
