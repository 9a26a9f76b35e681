"""Names of OpenSTL's ConvLSTM state dicts (PyTorch)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from hvp.models.convlstm.model import ConvLSTM
from hvp.named_weights import Target
from hvp.weights import pytorch_layouts as layouts
from hvp.weights.pytorch_layouts import Named

# Convolutions that the original's cells own and never call.
UNUSED = (".conv_o.", ".conv_last.")


def build(config: Mapping[str, Any]) -> tuple[ConvLSTM, dict[str, Target]]:
    """The model of the original's constructor arguments, and its variables by original name."""
    _, channels, height, width = config["in_shape"]
    hidden = list(config["num_hidden"])[: config.get("num_layers")]
    if config.get("layer_norm") or config.get("stride", 1) != 1:
        raise ValueError("layer_norm and strides other than 1 are not ported")
    model = ConvLSTM(
        height=height,
        width=width,
        channels=channels,
        context=config["pre_seq_length"],
        hidden=hidden,
        kernel_size=config.get("filter_size", 5),
        patch_size=config.get("patch_size", 4),
        sampling_steps=0,
    )
    return model, targets(model)


def targets(model: ConvLSTM) -> dict[str, Target]:
    """The model's variables by their names in the original's state dict."""
    return layouts.as_targets(_named(model))


def is_unused(family: str, name: str) -> bool:
    """Whether the original stores what it never computes with."""
    return name.startswith("cell_list.") and any(part in name for part in UNUSED)


def _named(model: ConvLSTM) -> Named:
    for i, cell in enumerate(model.cells):
        name = f"cell_list.{i}"
        yield from layouts.layer(f"{name}.conv_x.0", cell.of_input, layouts.convolution)
        yield from layouts.layer(f"{name}.conv_h.0", cell.of_state, layouts.convolution)
    yield from layouts.layer("conv_last", model.readout, layouts.convolution)
