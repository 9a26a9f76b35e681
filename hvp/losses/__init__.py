"""Losses that families share."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "balanced_kl": "hvp.losses.evidence_lower_bound",
        "gaussian_nll": "hvp.losses.evidence_lower_bound",
        "sequence_kl": "hvp.losses.evidence_lower_bound",
        "weighted_kl": "hvp.losses.evidence_lower_bound",
    },
)
