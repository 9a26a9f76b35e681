"""Names of the published SDFNet and DFDNet state dicts (PyTorch)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from hvp.models.dfdnet.model import DFDNet
from hvp.models.sdfnet.model import SDFNet
from hvp.named_weights import Target
from hvp.weights import pytorch_layouts as layouts
from hvp.weights.pytorch_layouts import Named, convolution, depthwise, linear, same, transposed

# In the state dicts, but not in the networks' computation.
UNUSED = ("dec.channel_ex.", ".DFDU.norm1.", ".num_batches_tracked")


def build(config: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
    """The model of the original's constructor arguments, and its variables by original name.

    A name maps to a `Target`, which brings an array from PyTorch's layout into ours.
    """
    frames, channels, height, width = config["shape_in"]
    shared = {
        "height": height,
        "width": width,
        "channels": channels,
        "frames": frames,
        "blocks": list(config.get("layer_config", (1, 8, 2, 8))),
    }
    if config["model"] == "sdfnet":
        model = SDFNet(
            hidden=config.get("hid_channel", 64),
            kernel_sizes=list(config.get("encoder_kernel_size", (3, 5, 7, 5))),
            reduction=config.get("reduction", 2),
            **shared,
        )
    else:
        model = DFDNet(
            hidden=config.get("hid_S", 64),
            kernel_sizes=list(config.get("kernel_size", (3, 3, 3, 3))),
            reduction=config.get("groups", 2),
            low_frequencies=config.get("COF", 0.3125),
            **shared,
        )
    return model, targets(model)


def targets(model: SDFNet | DFDNet) -> dict[str, Target]:
    """The model's variables by their names in the original's state dict."""
    names = _sdfnet(model) if isinstance(model, SDFNet) else _dfdnet(model)
    return layouts.as_targets(names)


def is_unused(family: str, name: str) -> bool:
    """Whether the original keeps a variable that it never computes with."""
    never_called = family == "dfdnet" and ".bn2." in name
    return never_called or any(part in name for part in UNUSED)


def _spatial(model: Any) -> Named:
    for kind, stages in (("enc.enc", model.encoder.stages), ("dec.dec", model.decoder.stages)):
        for i, stage in enumerate(stages):
            name = f"{kind}.{i}.conv"
            yield from layouts.layer(f"{name}.conv", stage.convolution.convolution, convolution)
            yield from layouts.norm(f"{name}.norm", stage.norm)
    yield from layouts.layer("dec.readout", model.decoder.readout, convolution)


def _stem(name: str, stem: Any, second: int) -> Named:
    """The convolutions and norms of a stem; its second norm is module number `second`."""
    yield from layouts.layer(f"{name}.0.conv", stem.convolutions[0].convolution, convolution)
    yield from layouts.batch_norm(f"{name}.0.bn", stem.norms[0])
    yield from layouts.batch_norm(f"{name}.{second}", stem.norms[1])
    yield from layouts.layer(
        f"{name}.{second + 2}.conv", stem.convolutions[1].convolution, convolution
    )
    yield from layouts.batch_norm(f"{name}.{second + 2}.bn", stem.norms[2])


def _involution(name: str, involution: Any) -> Named:
    yield from layouts.layer(f"{name}.conv1.conv", involution.reduce, convolution)
    yield from layouts.batch_norm(f"{name}.conv1.bn", involution.norm)
    yield from layouts.layer(f"{name}.conv2.conv", involution.span, convolution)


def _blocks(model: Any) -> Iterator[tuple[str, Any]]:
    for i, blocks in enumerate(model.blocks):
        for j, block in enumerate(blocks):
            yield f"hid1.net.layer{i + 1}.{j}", block


def _sdfnet(model: SDFNet) -> Named:
    yield from _spatial(model)
    yield from _stem("hid1.net.stem", model.stem, second=2)
    yield from _involution("hid1.net.stem.1", model.stem.involution)
    for name, block in _blocks(model):
        yield from layouts.layer(f"{name}.conv1", block.reduce, convolution)
        yield from _involution(f"{name}.conv2", block.involution)
        yield from layouts.layer(f"{name}.conv3", block.expand, convolution)
        for i, norm in enumerate(block.norms):
            yield from layouts.batch_norm(f"{name}.bn{i + 1}", norm)


def _dfdnet(model: DFDNet) -> Named:
    yield from _spatial(model)
    yield from _stem("hid1.net.stem", model.stem, second=1)
    yield from _stem("hid1.net.stem1", model.first_stem, second=1)
    unstem = model.first_unstem
    for i, part in zip((0, 3), unstem.convolutions, strict=True):
        yield from layouts.layer(f"hid1.net.Unstem1.{i}", part.convolution, transposed)
    yield from layouts.batch_norm("hid1.net.Unstem1.1", unstem.norm)
    for name, block in _blocks(model):
        yield from layouts.layer(f"{name}.conv1", block.reduce, convolution)
        yield from layouts.batch_norm(f"{name}.bn1", block.norms[0])
        for original, filter_block in zip(("atten", "atten1"), block.filters, strict=True):
            yield from _filter_block(f"{name}.{original}", filter_block)
        yield from layouts.layer(f"{name}.conv3", block.expand, convolution)
        yield from layouts.batch_norm(f"{name}.bn3", block.norms[1])


def _filter_block(name: str, block: Any) -> Named:
    yield from layouts.norm(f"{name}.norm1", block.norm)
    attention, unit = block.attention, block.filter
    yield from layouts.layer(f"{name}.STAU.fc1", attention.expand, linear)
    yield from layouts.layer(f"{name}.STAU.dwconv.dwconv", attention.neighbourhood, depthwise)
    yield from layouts.layer(f"{name}.STAU.fc2", attention.project, linear)
    for axis, axis_filter in (("h", unit.first), ("w", unit.second)):
        if axis_filter.kind != "none":
            yield f"{name}.DFDU.param_{axis}", axis_filter.threshold, same
        yield from layouts.layer(f"{name}.DFDU.mlp_{axis}1", axis_filter.predict, linear)
    yield from layouts.layer(f"{name}.DFDU.mlp_c", unit.channels, linear)
    yield from layouts.layer(f"{name}.DFDU.reweight_h", unit.weight_first, linear)
    yield from layouts.layer(f"{name}.DFDU.reweight_w", unit.weight_second, linear)
