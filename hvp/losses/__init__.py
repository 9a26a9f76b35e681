"""Losses that families share."""

from hvp._lazy import lazy_exports

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "Frequency3D": "hvp.losses.frequency",
        "WeightedFrequency": "hvp.losses.frequency",
        "balanced_kl": "hvp.losses.evidence_lower_bound",
        "discriminator_loss": "hvp.losses.adversarial",
        "frame_distribution": "hvp.losses.likelihoods",
        "generator_loss": "hvp.losses.adversarial",
        "r1_penalty": "hvp.losses.adversarial",
        "sequence_kl": "hvp.losses.evidence_lower_bound",
        "weighted_losses": "hvp.losses.frequency",
        "weighted_kl": "hvp.losses.evidence_lower_bound",
    },
)
