"""Published weights: the originals' checkpoints and arguments as our models."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "from_reference": "hvp.weights.reference",
        "import_checkpoint": "hvp.weights.importing",
    },
    submodules=("hierarchical", "importing", "reference"),
)
