"""Layers that two or more families share."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "SharedLayers": "hvp.layers.shared",
        "Involution": "hvp.layers.involution",
        "SpatialDecoder": "hvp.layers.spatial",
        "SpatialEncoder": "hvp.layers.spatial",
    },
    submodules=("activations", "convolution", "involution", "normalisation", "shared", "spatial"),
)
