"""Sets of videos compared as distributions: the Fréchet video distance and its parts.

>>> network = hvp.distances.I3D(hvp.distances.find_i3d_checkpoint("i3d-kinetics-400_1"))
>>> hvp.distances.frechet_distance(network.embed(real), network.embed(fake))
"""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "Extrapolated": "hvp.distances.extrapolation",
        "FeatureStatistics": "hvp.distances.frechet",
        "I3D": "hvp.distances.i3d",
        "SmallVideoNetwork": "hvp.distances.small_network",
        "VideoDistance": "hvp.distances.distance",
        "extrapolated_frechet": "hvp.distances.extrapolation",
        "find_i3d_checkpoint": "hvp.distances.i3d_checkpoint",
        "find_video_protocol": "hvp.distances.protocols",
        "frechet_distance": "hvp.distances.frechet",
        "kernel_distance": "hvp.distances.kernel",
        "load_embedding": "hvp.distances.embedding",
        "neighbourhoods": "hvp.distances.neighbours",
    },
    submodules=("clips", "distance", "embedding", "i3d_checkpoint", "protocols", "sets"),
)
