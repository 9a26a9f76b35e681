"""Experiments side by side on long recursive predictions, as the synthesis network's page shows.

The page plots PSNR and SSIM of 32 frames generated from 16, "from the 16th frame generated" on.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import matplotlib.ticker
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hvp.config import ExperimentConfig
from hvp.data.video_split import evaluation_split
from hvp.errors import writing
from hvp.evaluation.open_loop import OpenLoopResult, OpenLoopSettings, evaluate
from hvp.evaluation.spectra import HIGH_FREQUENCIES, Spectrum
from hvp.metrics.registry import METRICS
from hvp.models.base import VideoModel

SCORES = ("psnr", "ssim", "mse")
PLOTTED = ("psnr", "ssim")
COLOURS = ("#2563eb", "#d97706", "#059669", "#db2777", "#7c3aed")
COPY_LAST = "#6b7280"


@dataclasses.dataclass(frozen=True)
class Recursion:
    """How far experiments predict, and from where on they are compared.

    Attributes:
        context: frames shown to the models.
        horizon: frames generated.
        first: number of the first generated frame that counts, from 1.
        num_examples: contexts at most.
        spectral_frames: generated frames, from the first, whose spectra are compared. A few, as
            energy far from the context is that of errors as much as of sharpness.
    """

    context: int = 16
    horizon: int = 32
    first: int = 16
    num_examples: int = 64
    spectral_frames: int = 4


def evaluate_recursion(
    config: ExperimentConfig, model: VideoModel, recursion: Recursion
) -> OpenLoopResult:
    """PSNR, SSIM, MSE of a model's rollouts on its own test split, and spectra of their beginning.

    Raises:
        UserError: if the data or the model do not allow it.
    """
    split = evaluation_split(config, seq_len=recursion.context + recursion.horizon)
    settings = OpenLoopSettings(
        context=recursion.context,
        horizon=recursion.horizon,
        seed=config.seed,
        metrics=SCORES,
        gallery_examples=1,
    )
    windows = split.choose_windows(recursion.num_examples, config.evaluation.windows)
    batches = split.evaluation_batches(config.evaluation.batch_size, windows=windows)
    result = evaluate(model, batches, settings)
    few = min(recursion.spectral_frames, recursion.horizon)
    beginning = evaluate(model, batches, dataclasses.replace(settings, horizon=few))
    return dataclasses.replace(result, spectra=beginning.spectra)


def high_frequency_energy(spectrum: Spectrum, kind: str) -> float:
    """Energy of `truth`, `prediction` or `error` at `HIGH_FREQUENCIES`, per pixel."""
    return float(spectrum.energy[kind][spectrum.frequency >= HIGH_FREQUENCIES].sum())


def summarize(results: Mapping[str, OpenLoopResult], recursion: Recursion) -> dict[str, Any]:
    """Means from `recursion.first` on, and how much of the truth's sharpness predictions have."""
    summary: dict[str, Any] = {"recursion": dataclasses.asdict(recursion), "experiments": {}}
    for name, result in results.items():
        spectrum = result.spectra["spatial"]
        energy = {k: high_frequency_energy(spectrum, k) for k in ("truth", "prediction")}
        summary["experiments"][name] = {
            "num_contexts": result.num_examples,
            **{
                score: {
                    kind: float(result.curves[score][kind].mean[recursion.first - 1 :].mean())
                    for kind in ("mean", "copy_last")
                }
                for score in SCORES
            },
            "high_frequency_energy": energy,
            "high_frequency_share_of_truth": energy["prediction"] / energy["truth"],
        }
    return summary


def write_comparison(
    results: Mapping[str, OpenLoopResult], recursion: Recursion, folder: Path
) -> tuple[Path, dict[str, Any]]:
    """Writes `recursion.png` (curves and spectra) and `recursion.json` (curves and means).

    Args:
        results: label -> what `evaluate_recursion` gave, of the same data.

    Returns:
        The figure's path and the summary.
    """
    summary = summarize(results, recursion)
    for name, result in results.items():
        summary["experiments"][name]["curves"] = {
            score: result.curves[score]["mean"].mean.tolist() for score in SCORES
        }
    figure = Figure(figsize=(13.2, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    *panels, spectral = figure.subplots(1, len(PLOTTED) + 1)
    for panel, score in zip(panels, PLOTTED, strict=True):
        _draw_score(panel, score, results, recursion)
    _draw_spectra(spectral, results, recursion)
    handles, labels = panels[0].get_legend_handles_labels()
    handles += spectral.get_lines()[:1]
    figure.legend(
        handles,
        [*labels, "truth"],
        loc="outside lower center",
        ncols=len(labels) + 1,
        frameon=False,
    )
    path = folder / "recursion.png"
    with writing(folder):
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "recursion.json").write_text(json.dumps(summary, indent=2), encoding="utf-8")
        figure.savefig(path)
    return path, summary


def _draw_score(
    panel: Any, score: str, results: Mapping[str, OpenLoopResult], recursion: Recursion
) -> None:
    start = recursion.first - 1
    steps = np.arange(recursion.first, recursion.horizon + 1)
    for colour, (name, result) in zip(_colours(results), results.items(), strict=True):
        curve = result.curves[score]["mean"]
        panel.plot(steps, curve.mean[start:], color=colour, lw=1.6, label=name)
        low, high = curve.mean - curve.interval, curve.mean + curve.interval
        panel.fill_between(steps, low[start:], high[start:], color=colour, alpha=0.12, lw=0)
    copied = next(iter(results.values())).curves[score]["copy_last"].mean
    panel.plot(steps, copied[start:], "--", color=COPY_LAST, lw=1.4, label="copy last frame")
    panel.set_title(f"{METRICS[score].label}  (higher is better)", fontsize=10, loc="left")
    panel.set_xlabel("generated frame", fontsize=9)
    panel.xaxis.set_major_locator(matplotlib.ticker.MaxNLocator(integer=True))
    panel.grid(alpha=0.25)


def _draw_spectra(panel: Any, results: Mapping[str, OpenLoopResult], recursion: Recursion) -> None:
    truth = next(iter(results.values())).spectra["spatial"]
    panel.plot(truth.frequency, truth.energy["truth"], color="black", lw=1.6)
    for colour, result in zip(_colours(results), results.values(), strict=True):
        spectrum = result.spectra["spatial"]
        panel.plot(spectrum.frequency, spectrum.energy["prediction"], color=colour, lw=1.4)
    panel.set_yscale("log")
    panel.axvspan(HIGH_FREQUENCIES, truth.frequency[-1], color="#9ca3af", alpha=0.15, lw=0)
    few = min(recursion.spectral_frames, recursion.horizon)
    panel.set_title(f"energy of generated frames 1 to {few}", fontsize=10, loc="left")
    panel.set_xlabel("spatial frequency (cycles per pixel)", fontsize=9)
    panel.grid(alpha=0.25)


def _colours(results: Mapping[str, OpenLoopResult]) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(results))]
