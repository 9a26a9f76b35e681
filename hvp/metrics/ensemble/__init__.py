"""Scores of a forecast that is a set of samples: is it right, and is its doubt honest.

    >>> from hvp.metrics.ensemble.crps import crps
    >>> crps(truth, samples).score        # (frames,), lower is better

`SCORES` says what each is, and how many samples it needs.
"""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "SCORES": "hvp.metrics.ensemble.registry",
        "EnsembleScore": "hvp.metrics.ensemble.registry",
        "KernelScore": "hvp.metrics.ensemble.kernel_score",
    },
    submodules=(
        "best_of",
        "crps",
        "diversity",
        "energy",
        "features",
        "ranks",
        "registry",
        "spread_skill",
        "variogram",
    ),
)
