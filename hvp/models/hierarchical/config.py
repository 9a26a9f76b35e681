"""The `model` section of the hierarchical family; key names are the published code's."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from hvp.config.fields import NUMBER, Depth, Factor, Items, Number, Positive, Share, Size, section

LONGEST_TICK = 10**5  # frames: shorter videos are padded to it


@section(frozen=True)
class HierarchicalConfig:
    """Settings of `HierarchicalModel`; defaults are the paper's for Moving MNIST.

    With the five `residual_*` switches off the model is Clockwork VAE.
    """

    family: Literal["hierarchical"] = "hierarchical"
    """The family that this section belongs to."""
    levels: Annotated[int, Field(ge=1, le=16)] = 3
    """Level 0 is the fastest."""
    tmp_abs_factor: Annotated[int, Field(ge=1, le=1000)] = 6
    """k: level l ticks every k**l frames."""
    enc_dense_layers: Depth = 3
    """Dense layers between one level's features and the next's."""
    enc_dense_embed_size: Size = 1000
    """Features of each of these layers."""
    cell_stoch_size: Size = 20
    """Stochastic state."""
    cell_deter_size: Size = 200
    """Deterministic (GRU) state."""
    cell_embed_size: Size = 200
    """Hidden layers of prior and posterior."""
    cell_min_stddev: Positive = 1e-4
    """The least standard deviation of a latent."""
    cell_initial_stddev: Annotated[float, Field(gt=0, le=10), NUMBER] | None = None
    """Of latents before training; null: about 0.7, as published."""
    cell_mean_only: bool = False
    """Latents are means instead of samples."""
    cell_reset_state: bool = False
    """Forget the previous sample where the level above ticks."""
    dec_stddev: Positive = 1.0
    """Standard deviation of a pixel's likelihood; bernoulli has none."""
    likelihood: Literal["normal", "laplace", "bernoulli", "logistic"] = "normal"
    """Of a pixel: normal, laplace, bernoulli, logistic (discretised to 8 bits)."""
    channels_mult: Factor = 1.0
    """Widens the convolutions."""
    beta: Number | Items[Number] | None = None
    """KL weight: one, or a list with one per level."""
    free_nats: Number | None = None
    """KL per level that costs nothing."""
    kl_grad_post_perc: Number | None = None
    """Share of the KL that moves the posterior; null: the plain KL."""
    kl_grad_post_detached: bool = False
    """true: that share moves nothing, as in the published code."""
    observation_dropout: Share = 0.0
    """Share of the training windows of which only the beginning is observed."""
    use_obs: bool | str | Items[bool] = True
    """Levels that see a rollout's context: true, [true, false, ...], TTF."""
    residual_encoder_cell: bool = True
    """Residual path in the encoder; all five false: Clockwork VAE."""
    residual_decoder_cell: bool = True
    """Residual path in the decoder."""
    residual_features: bool = True
    """Level features add a tenth of the level below's."""
    residual_context: bool = True
    """Context from above passes a residual layer."""
    residual_posterior: bool = True
    """Posterior = prior + learned difference."""

    def __post_init__(self) -> None:
        slowest = self.tmp_abs_factor ** (self.levels - 1)
        if slowest > LONGEST_TICK:
            raise ValueError(
                f"tmp_abs_factor {self.tmp_abs_factor} and levels {self.levels}: the slowest level "
                f"would tick every {slowest:.1e} frames; at most {LONGEST_TICK}"
            )
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
