"""Names of SVG-LP's networks (PyTorch): `encoder`, `decoder` and the recurrent nets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvp.models.svg_lp.model import SVGLP
from hvp.models.svg_lp.networks import Normalised, Recurrent, Sequence
from hvp.named_weights import Target
from hvp.weights import pytorch_layouts as layouts
from hvp.weights.pytorch_layouts import Named


def build(config: Mapping[str, Any]) -> tuple[SVGLP, dict[str, Target]]:
    """The model of the original's arguments, and its variables by original name."""
    size = config["image_width"]
    model = SVGLP(
        height=size,
        width=size,
        channels=config["channels"],
        backbone=config.get("backbone", "dcgan"),
        code_size=config["g_dim"],
        latent_size=config["z_dim"],
        recurrent_size=config["rnn_size"],
        predictor_cells=config.get("predictor_rnn_layers", 2),
        posterior_cells=config.get("posterior_rnn_layers", 1),
        prior_cells=config.get("prior_rnn_layers", 1),
        context=config["n_past"],
        last_frame_skip=config.get("last_frame_skip", False),
        beta=config["beta"],
    )
    return model, targets(model)


def targets(model: SVGLP) -> dict[str, Target]:
    """The model's variables by their names in the original's state dicts."""
    return layouts.as_targets(_named(model))


def is_unused(family: str, name: str) -> bool:
    """Whether the original stores what it never computes with."""
    return name.endswith(".num_batches_tracked")


def _named(model: SVGLP) -> Named:
    encoder, decoder = model.encoder, model.decoder
    for i, stage in enumerate(encoder.stages, 1):
        yield from _stage(f"encoder.c{i}", stage, encoder.pooled, layouts.convolution)
    last = len(encoder.stages) + 1
    yield from _normalised(f"encoder.c{last}", encoder.head, layouts.convolution)
    yield from _normalised("decoder.upc1", decoder.foot, layouts.transposed)
    for i, stage in enumerate(decoder.stages, 2):
        convert = layouts.convolution if decoder.pooled else layouts.transposed
        yield from _stage(f"decoder.upc{i}", stage, decoder.pooled, convert)
    readout = f"decoder.upc{last}"
    if decoder.last is not None:
        yield from _normalised(f"{readout}.0.main", decoder.last.parts[0], layouts.convolution)
    place = 0 if decoder.last is None else 1
    yield from layouts.layer(f"{readout}.{place}", decoder.readout, layouts.transposed)
    yield from _recurrent("frame_predictor", model.predictor, ["output.0"])
    for name, network in (("posterior", model.posterior), ("prior", model.prior)):
        yield from _recurrent(name, network, ["mu_net", "logvar_net"])


def _stage(name: str, stage: Sequence, pooled: bool, convert: layouts.Convert) -> Named:
    """Blocks of a vgg stage are numbered, a dcgan stage is one block; each is under `main`."""
    for i, part in enumerate(stage.parts):
        yield from _normalised(f"{name}.{i}.main" if pooled else f"{name}.main", part, convert)


def _normalised(name: str, part: Normalised, convert: layouts.Convert) -> Named:
    yield from layouts.layer(f"{name}.0", part.convolution, convert)
    yield from layouts.batch_norm(f"{name}.1", part.norm)


def _recurrent(name: str, network: Recurrent, heads: list[str]) -> Named:
    yield from layouts.layer(f"{name}.embed", network.embed, layouts.linear)
    for i, cell in enumerate(network.cells):
        of_cell = f"{name}.lstm.{i}"
        yield f"{of_cell}.weight_ih", cell.kernel, layouts.linear
        yield f"{of_cell}.weight_hh", cell.recurrent_kernel, layouts.linear
        yield f"{of_cell}.bias_ih", cell.bias, layouts.same
        yield f"{of_cell}.bias_hh", cell.recurrent_bias, layouts.same
    for head, original in zip(network.heads, heads, strict=True):
        yield from layouts.layer(f"{name}.{original}", head, layouts.linear)
