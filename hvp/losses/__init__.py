"""Losses that families share."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "Frequency3D": "hvp.losses.frequency",
        "WeightedFrequency": "hvp.losses.frequency",
        "balanced_kl": "hvp.losses.evidence_lower_bound",
        "gaussian_nll": "hvp.losses.evidence_lower_bound",
        "sequence_kl": "hvp.losses.evidence_lower_bound",
        "weighted_losses": "hvp.losses.frequency",
        "weighted_kl": "hvp.losses.evidence_lower_bound",
    },
)
