"""Experiments side by side on long recursive predictions, as the synthesis network's page shows.

The page plots PSNR and SSIM of 32 frames generated from 16, "from the 16th frame" on: the first
that is generated, counted from 0. Beside the frames' curves stand those of a synthesis network's
predicted fusion pictures against the true ones.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence, Sized
from pathlib import Path
from typing import Any

import matplotlib.ticker
import numpy as np
import tensorflow as tf
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from hvp.config import ExperimentConfig
from hvp.data.video_split import evaluation_split
from hvp.errors import writing
from hvp.evaluation.open_loop import OpenLoopResult, OpenLoopSettings, evaluate
from hvp.evaluation.spectra import HIGH_FREQUENCIES, Spectrum
from hvp.metrics.registry import METRICS
from hvp.models.base import VideoModel
from hvp.models.fusion.model import FusionModel
from hvp.models.fusion.picture_model import PictureModel

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
    first: int = 1
    num_examples: int = 64
    spectral_frames: int = 4


def evaluate_recursion(
    config: ExperimentConfig,
    model: VideoModel,
    recursion: Recursion,
    on_batch: Callable[[int], None] | None = None,
) -> OpenLoopResult:
    """PSNR, SSIM, MSE of a model's rollouts on its own test split, and spectra of their beginning.

    Args:
        on_batch: called with the number of contexts of every batch that is done, of two rounds.

    Raises:
        UserError: if the data or the model do not allow it.
    """
    settings, batches = _evaluation(config, recursion)
    result = evaluate(model, batches, settings, on_batch=on_batch)
    few = min(recursion.spectral_frames, recursion.horizon)
    short = dataclasses.replace(settings, horizon=few)
    beginning = evaluate(model, batches, short, on_batch=on_batch)
    return dataclasses.replace(result, spectra=beginning.spectra)


def evaluate_pictures(
    config: ExperimentConfig, model: VideoModel, recursion: Recursion
) -> OpenLoopResult | None:
    """The same of a synthesis network's predicted fusion pictures, against those of true frames.

    Returns:
        None for other families, and where the pictures are the frames themselves.
    """
    if not isinstance(model, FusionModel) or not model.settings.fusion:
        return None
    settings, batches = _evaluation(config, recursion)
    frames = model.min_context

    def pictures(batch: Mapping[str, tf.Tensor]) -> dict[str, tf.Tensor]:
        # The frames that a rollout sees come first: they decide the pictures' regions.
        used = slice(recursion.context - frames, None)
        masks = batch["masks"][:, used] if model.needs_masks else None
        names = {key: batch[key] for key in ("name", "source")}
        return {**names, "video": model.pictures(batch["video"][:, used], masks)}

    settings = dataclasses.replace(settings, context=frames)
    return evaluate(PictureModel(model), batches.map(pictures), settings)


def _evaluation(
    config: ExperimentConfig, recursion: Recursion
) -> tuple[OpenLoopSettings, tf.data.Dataset]:
    split = evaluation_split(config, seq_len=recursion.context + recursion.horizon)
    settings = OpenLoopSettings(
        context=recursion.context,
        horizon=recursion.horizon,
        seed=config.seed,
        metrics=SCORES,
        gallery_examples=1,
    )
    windows = split.choose_windows(recursion.num_examples, config.evaluation.windows)
    return settings, split.evaluation_batches(config.evaluation.batch_size, windows=windows)


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
    results: Mapping[str, OpenLoopResult],
    recursion: Recursion,
    folder: Path,
    pictures: Mapping[str, OpenLoopResult] | None = None,
) -> tuple[Path, dict[str, Any]]:
    """Writes `recursion.png` (curves and spectra) and `recursion.json` (curves and means).

    Args:
        results: label -> what `evaluate_recursion` gave, of the same data.
        pictures: label -> what `evaluate_pictures` gave, of those that have pictures.

    Returns:
        The figure's path and the summary.
    """
    pictures = pictures or {}
    summary = summarize(results, recursion)
    for key, curves in (("curves", results), ("picture_curves", pictures)):
        for name, result in curves.items():
            summary["experiments"][name][key] = {
                score: result.curves[score]["mean"].mean.tolist() for score in SCORES
            }
    figure = Figure(figsize=(13.2, 4), dpi=120, layout="constrained")
    FigureCanvasAgg(figure)
    *panels, spectral = figure.subplots(1, len(PLOTTED) + 1)
    for panel, score in zip(panels, PLOTTED, strict=True):
        _draw_score(panel, score, results, recursion)
        _draw_pictures(panel, score, list(results), pictures, recursion)
    _draw_spectra(spectral, results, recursion)
    handles, labels = panels[0].get_legend_handles_labels()
    handles += spectral.get_lines()[:1]
    figure.legend(
        handles,
        [*labels, "truth"],
        loc="outside lower center",
        ncols=min(len(labels) + 1, 6),
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


def _draw_pictures(
    panel: Any,
    score: str,
    names: Sequence[str],
    pictures: Mapping[str, OpenLoopResult],
    recursion: Recursion,
) -> None:
    """Predicted against true fusion pictures, dotted, in the colours of the frames' curves."""
    steps = np.arange(recursion.first, recursion.horizon + 1)
    for name, result in pictures.items():
        values = result.curves[score]["mean"].mean[recursion.first - 1 :]
        colour = _colours(names)[names.index(name)]
        panel.plot(steps, values, ":", color=colour, lw=1.6, label=f"{name}: fusion pictures")


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


def _colours(results: Sized) -> list[str]:
    return [COLOURS[i % len(COLOURS)] for i in range(len(results))]
