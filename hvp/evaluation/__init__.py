"""Open-loop evaluation: rollouts from the context alone, metrics over the horizon, reports."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "OpenLoopResult": "hvp.evaluation.open_loop",
        "OpenLoopSettings": "hvp.evaluation.open_loop",
        "evaluate": "hvp.evaluation.open_loop",
        "write_report": "hvp.evaluation.report",
    },
    submodules=("metric_agreement", "open_loop", "own_videos", "recursion", "report", "spectra"),
)
