"""Training: the loop, distribution, schedules and TensorBoard summaries."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "load_experiment": "hvp.experiment.checkpoints",
        "make_strategy": "hvp.training.distribution",
        "train": "hvp.training.trainer",
    },
    submodules=("distribution", "schedules", "summaries", "trainer"),
)
