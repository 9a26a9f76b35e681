"""The scorecard in words: is it sharp, is it right, is its doubt honest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hvp.evaluation.spectra import HIGH_FREQUENCIES
from hvp.metrics.ensemble.registry import SCORES

PARTS = {
    "score": "Score",
    "spread": "of it spread",
    "reliability": "of it reliability",
    "copy_last": "Copy last frame",
}
# (upper end of the quotient, in words): energy of a sample's fine detail over the truth's.
_SHARPNESS = (
    (0.5, "no: blurred"),
    (0.8, "not quite: somewhat blurred"),
    (1.25, "yes: as sharp as the truth"),
    (float("inf"), "too sharp: more fine detail than the truth, noise or flicker"),
)
_TOLERANCE = 0.1  # of spread / skill, that nobody would act upon


def scorecard_section(report: Mapping[str, Any]) -> dict[str, Any]:
    """What the template `scorecard.html` shows.

    Args:
        report: the content of metrics.json.
    """
    card = report["scorecard"]
    answers = [_sharp(report["spectra"]["spatial"]), _right(card["scores"])]
    if "ranks" in card:
        answers.append(_honest(card))
    else:
        question = "Is its doubt honest?"
        answers.append({"question": question, "verdict": "it has none", "why": _point(card)})
    parts = [part for part in PARTS if part in card["scores"]["crps"]["summary"]]
    return {
        "answers": answers,
        "several": "ranks" in card,
        "num_samples": card["num_samples"],
        "head": ["", *(PARTS[part] for part in parts)],
        "rows": [
            [
                {"label": SCORES[name].label, "question": SCORES[name].question},
                *(_cell(score["summary"].get(part)) for part in parts),
            ]
            for name, score in card["scores"].items()
            if "score" in score["summary"]
        ],
        "ratios": [
            f"{SCORES[name].label} {_cell(score['summary']['ratio'])}"
            for name, score in card["scores"].items()
            if "ratio" in score["summary"]
        ],
    }


def _sharp(spectrum: Mapping[str, Any]) -> dict[str, str]:
    fine = np.array(spectrum["frequency"]) >= HIGH_FREQUENCIES
    energy = {kind: np.array(spectrum[kind])[fine].sum() for kind in ("truth", "prediction")}
    question = "Is it sharp?"
    if energy["truth"] <= 0:
        return {
            "question": question,
            "verdict": "cannot be said",
            "why": "The true frames have no fine detail.",
        }
    quotient = energy["prediction"] / energy["truth"]
    verdict = next(words for end, words in _SHARPNESS if quotient < end)
    return {
        "question": question,
        "verdict": verdict,
        "why": f"A sample's fine detail has {quotient:.0%} of the truth's energy (spatial "
        f"frequencies from {HIGH_FREQUENCIES:g} cycles per pixel on).",
    }


def _right(scores: Mapping[str, Any]) -> dict[str, str]:
    crps = scores["crps"]["summary"]
    score, baseline = crps["score"]["mean"], crps["copy_last"]["mean"]
    why = (
        f"Its CRPS, the error of the whole forecast, is {score:.4f} grey levels (of 0 to 1); that "
        f"of copying the last frame is {baseline:.4f}."
    )
    if baseline <= 0:
        verdict = "nothing moves: copying the last frame is perfect"
    elif score < baseline:
        verdict = f"{1 - score / baseline:.0%} closer than copying the last frame"
    else:
        verdict = "no better than copying the last frame"
    return {"question": "Is it right?", "verdict": verdict, "why": why}


def _honest(card: Mapping[str, Any]) -> dict[str, str]:
    ratio = card["scores"]["spread_skill"]["summary"]["ratio"]
    pixels = card["ranks"]["pixels"]
    nominal, observed = (pixels["coverage"][kind][0] for kind in ("nominal", "observed"))
    return {
        "question": "Is its doubt honest?",
        "verdict": _doubt(ratio["mean"], ratio["ci95"]),
        "why": f"Spread over error is {_cell(ratio)} (honest: 1). Between the lowest and the "
        f"highest of {card['num_samples']} samples lie {observed:.0%} of the true values (honest: "
        f"{nominal:.0%}). " + _bias(pixels["mean_rank"]),
    }


def _doubt(ratio: float | None, half_width: float | None) -> str:
    if ratio is None:
        return "there is none: its samples hit the truth exactly"
    margin = max(_TOLERANCE, half_width or 0.0)
    if ratio < 1 - margin:
        return f"too sure of itself: its samples spread {ratio:.0%} of what its error is"
    if ratio > 1 + margin:
        return f"too unsure: its samples spread {ratio:.0%} of what its error is"
    return "yes, on average"


def _bias(rank: Mapping[str, float | None]) -> str:
    mean = rank["mean"] or 0.0
    if abs(mean - 0.5) <= max(0.02, rank["ci95"] or 0.0):
        return "Predictions are neither too dark nor too bright."
    return f"Predictions are too {'dark' if mean > 0.5 else 'bright'} (mean rank {mean:.2f})."


def _point(card: Mapping[str, Any]) -> str:
    words: str = card["point_forecast"]
    return words[0].upper() + words[1:] + "."


def _cell(entry: Mapping[str, float | None] | None) -> str:
    if entry is None or entry["mean"] is None:
        return "–"
    mean = f"{entry['mean']:.4f}"
    return mean if entry["ci95"] is None else f"{mean} ± {entry['ci95']:.4f}"
