"""What each score of samples is. Importing this does not import TensorFlow."""

from __future__ import annotations

import dataclasses


@dataclasses.dataclass(frozen=True)
class EnsembleScore:
    """One score of a set of samples.

    Attributes:
        name: its key everywhere.
        label: for titles.
        question: what it answers.
        unit: of its values.
        calibrated: the value of an honest forecast, if there is one; else lower is better.
    """

    name: str
    label: str
    question: str
    unit: str
    calibrated: float | None = None


SCORES: dict[str, EnsembleScore] = {
    score.name: score
    for score in (
        EnsembleScore(
            "crps",
            "CRPS",
            "how far off is the forecast of each pixel, taken alone",
            "grey levels, 0 to 1",
        ),
        EnsembleScore(
            "energy",
            "energy score",
            "how far off is the forecast of the frame, all pixels together",
            "root mean square over pixels",
        ),
        EnsembleScore(
            "variogram",
            "variogram score",
            "do pixels differ from one another as they truly do",
            "mean over pairs of |difference|^(1/2), squared",
        ),
        EnsembleScore(
            "energy_lpips",
            "energy score, LPIPS",
            "as the energy score, as LPIPS sees frames",
            "square root of LPIPS",
        ),
        EnsembleScore(
            "variogram_lpips",
            "variogram score, LPIPS",
            "as the variogram score, of what LPIPS sees",
            "mean over pairs of |difference|^(1/2), squared",
        ),
        EnsembleScore(
            "spread_skill",
            "spread / skill",
            "is the spread of the samples as large as the error of their mean",
            "ratio",
            calibrated=1.0,
        ),
        EnsembleScore(
            "diversity",
            "diversity",
            "do samples differ from one another as they differ from the truth",
            "ratio",
            calibrated=1.0,
        ),
    )
}
