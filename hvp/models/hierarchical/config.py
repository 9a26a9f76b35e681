"""The `model` section of the hierarchical family; key names are the published code's."""

from __future__ import annotations

import dataclasses
from typing import Literal


@dataclasses.dataclass(frozen=True)
class HierarchicalConfig:
    """Settings of `HierarchicalModel`; defaults are the paper's for Moving MNIST.

    With the five `residual_*` switches off the model is Clockwork VAE.
    """

    family: Literal["hierarchical"] = "hierarchical"
    levels: int = 3  # level 0 is the fastest
    tmp_abs_factor: int = 6  # k: level l ticks every k**l frames
    enc_dense_layers: int = 3  # dense layers per level above the lowest
    enc_dense_embed_size: int = 1000
    cell_stoch_size: int = 20
    cell_deter_size: int = 200
    cell_embed_size: int = 200
    cell_min_stddev: float = 1e-4
    cell_mean_only: bool = False  # latents are means instead of samples
    cell_reset_state: bool = False  # forget the previous sample where the level above ticks
    dec_stddev: float = 1.0  # of the Gaussian pixel likelihood
    channels_mult: float = 1.0  # widens the convolutions
    beta: float | list[float] | None = None  # KL weight, one or one per level
    free_nats: float | None = None  # KL per level below which it is free
    kl_grad_post_perc: float | None = None  # share of the KL that moves the posterior
    kl_grad_post_detached: bool = False  # as published: that share moves nothing
    # Which levels observe the context of a rollout, level 0 first; TTF = [true, true, false].
    # Training observes on all levels, as published.
    use_obs: bool | str | list[bool] = True
    residual_encoder_cell: bool = True
    residual_decoder_cell: bool = True
    residual_features: bool = True  # level features add a tenth of the level below's
    residual_context: bool = True  # context from above passes a residual layer
    residual_posterior: bool = True  # posterior = prior + learned difference

    def __post_init__(self) -> None:
        from_settings = {
            name: getattr(self, name)
            for name in (
                "levels",
                "tmp_abs_factor",
                "enc_dense_layers",
                "enc_dense_embed_size",
                "cell_stoch_size",
                "cell_deter_size",
                "cell_embed_size",
            )
        }
        for name, value in from_settings.items():
            if value < 1:
                raise ValueError(f"{name} must be at least 1, found {value}")
        if self.dec_stddev <= 0 or self.cell_min_stddev <= 0 or self.channels_mult <= 0:
            raise ValueError("dec_stddev, cell_min_stddev and channels_mult must be above 0")
        if isinstance(self.beta, list) and len(self.beta) != self.levels:
            raise ValueError(f"beta has {len(self.beta)} entries for {self.levels} levels")
        self.observed_levels()

    def observed_levels(self) -> tuple[bool, ...]:
        """`use_obs` as one bool per level, level 0 first."""
        return parse_use_obs(self.use_obs, self.levels)


def parse_use_obs(use_obs: bool | str | list[bool], levels: int) -> tuple[bool, ...]:
    """Reads `use_obs`: one bool for all levels, a list, or letters such as `TTF` (level 0 first).

    Raises:
        ValueError: if the number of entries is not `levels` or a letter is not T or F.
    """
    if isinstance(use_obs, bool):
        return (use_obs,) * levels
    if isinstance(use_obs, str):
        letters = use_obs.upper()
        if set(letters) - {"T", "F"}:
            raise ValueError(f"use_obs must be letters T and F, one per level, found {use_obs!r}")
        flags = tuple(letter == "T" for letter in letters)
    else:
        flags = tuple(use_obs)
    if len(flags) != levels:
        raise ValueError(f"use_obs has {len(flags)} entries for {levels} levels: {use_obs!r}")
    return flags
