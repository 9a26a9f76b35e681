"""Published weights: downloads with checksums, and import of the originals' checkpoints."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "from_reference": "hvp.weights.reference",
        "import_checkpoint": "hvp.weights.importing",
    },
    submodules=("download", "hierarchical", "importing", "reference"),
)
