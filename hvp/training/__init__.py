"""Training: the loop, distribution, checkpoints and TensorBoard summaries."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "load_experiment": "hvp.training.checkpoints",
        "make_strategy": "hvp.training.distribution",
        "train": "hvp.training.trainer",
    },
    submodules=("checkpoints", "distribution", "run_folder", "summaries", "trainer"),
)
