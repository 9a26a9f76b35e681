"""Names of OpenSTL's SimVP state dicts (PyTorch), every translator."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from hvp.models.simvp.model import SimVP
from hvp.models.simvp.translators import AttentionBlock, ConvMixerBlock, MetaFormer
from hvp.named_weights import Target
from hvp.weights import pytorch_layouts as layouts
from hvp.weights.pytorch_layouts import Named


def build(config: Mapping[str, Any]) -> tuple[SimVP, dict[str, Target]]:
    """The model of the original's constructor arguments, and its variables by original name."""
    frames, channels, height, width = config["in_shape"]
    kernels = {config.get(key, 3) for key in ("spatio_kernel_enc", "spatio_kernel_dec")}
    if len(kernels) > 1:
        raise ValueError(f"encoder and decoder must have one kernel size, received {kernels}")
    model = SimVP(
        height=height,
        width=width,
        channels=channels,
        frames=frames,
        hidden=config.get("hid_S", 16),
        stages=config.get("N_S", 4),
        kernel_size=kernels.pop(),
        translator=config.get("model_type", "gSTA"),
        translator_width=config.get("hid_T", 256),
        translator_blocks=config.get("N_T", 4),
        feed_forward_ratio=config.get("mlp_ratio", 8.0),
        drop_path=config.get("drop_path", 0.0),
    )
    return model, targets(model)


def targets(model: SimVP) -> dict[str, Target]:
    """The model's variables by their names in the original's state dict."""
    return layouts.as_targets(_named(model))


def is_unused(family: str, name: str) -> bool:
    """Whether the original stores what it never computes with."""
    return name.endswith(".num_batches_tracked")


def _named(model: SimVP) -> Named:
    for kind, stages in (("enc.enc", model.encoder.stages), ("dec.dec", model.decoder.stages)):
        for i, stage in enumerate(stages):
            name, convolution = f"{kind}.{i}.conv", stage.convolution.convolution
            if stage.upsample:
                yield f"{name}.conv.0.weight", convolution.kernel, _shuffled_convolution
                yield f"{name}.conv.0.bias", convolution.bias, _shuffled
            else:
                yield from layouts.layer(f"{name}.conv", convolution, layouts.convolution)
            yield from layouts.norm(f"{name}.norm", stage.norm)
    yield from layouts.layer("dec.readout", model.decoder.readout, layouts.convolution)
    if isinstance(model.translator, MetaFormer):
        yield from _metaformer(model.translator)
    else:
        for kind, blocks in (("enc", model.translator.down), ("dec", model.translator.up)):
            for i, block in enumerate(blocks):
                yield from _inception(f"hid.{kind}.{i}", block)


def _shuffled(array: np.ndarray) -> np.ndarray:
    """PyTorch's pixel shuffle takes features channel by channel, TensorFlow's pixel by pixel."""
    channels = len(array) // 4
    return array.reshape(channels, 4, *array.shape[1:]).swapaxes(0, 1).reshape(array.shape)


def _shuffled_convolution(array: np.ndarray) -> np.ndarray:
    return layouts.convolution(_shuffled(array))


def _metaformer(translator: MetaFormer) -> Named:
    pairs = zip(translator.blocks, translator.reductions, strict=True)
    for i, (block, reduction) in enumerate(pairs):
        name = f"hid.enc.{i}"
        parts = _mixer if isinstance(block, ConvMixerBlock) else _attention
        yield from parts(f"{name}.block", block)
        if reduction is not None:
            yield from layouts.layer(f"{name}.reduction", reduction, layouts.convolution)


def _mixer(name: str, block: ConvMixerBlock) -> Named:
    yield from layouts.layer(f"{name}.conv_dw", block.depthwise, layouts.depthwise)
    yield from layouts.layer(f"{name}.conv_pw", block.pointwise, layouts.convolution)
    for i, norm in enumerate(block.norms, 1):
        yield from layouts.batch_norm(f"{name}.norm_{i}", norm)


def _attention(name: str, block: AttentionBlock) -> Named:
    for i, (norm, scale) in enumerate(zip(block.norms, block.scales, strict=True), 1):
        yield from layouts.batch_norm(f"{name}.norm{i}", norm)
        yield f"{name}.layer_scale_{i}", scale, layouts.same
    attention, feed_forward = block.attention, block.feed_forward
    yield from layouts.layer(f"{name}.attn.proj_1", attention.into, layouts.convolution)
    yield from layouts.layer(f"{name}.attn.proj_2", attention.out, layouts.convolution)
    gate, of_gate = attention.gate, f"{name}.attn.spatial_gating_unit"
    yield from layouts.layer(f"{of_gate}.conv0", gate.near, layouts.depthwise)
    yield from layouts.layer(f"{of_gate}.conv_spatial", gate.far, layouts.depthwise)
    yield from layouts.layer(f"{of_gate}.conv1", gate.mix, layouts.convolution)
    if hasattr(gate, "squeeze"):
        yield from layouts.layer(f"{of_gate}.fc.0", gate.squeeze, layouts.linear)
        yield from layouts.layer(f"{of_gate}.fc.2", gate.excite, layouts.linear)
    yield from layouts.layer(f"{name}.mlp.fc1", feed_forward.expand, layouts.convolution)
    neighbourhood = feed_forward.neighbourhood
    yield from layouts.layer(f"{name}.mlp.dwconv.dwconv", neighbourhood, layouts.depthwise)
    yield from layouts.layer(f"{name}.mlp.fc2", feed_forward.project, layouts.convolution)


def _inception(name: str, block: Any) -> Named:
    yield from layouts.layer(f"{name}.conv1", block.reduce, layouts.convolution)
    for i, (convolution, norm) in enumerate(zip(block.convolutions, block.norms, strict=True)):
        yield from layouts.layer(f"{name}.layers.{i}.conv", convolution, layouts.convolution)
        yield from layouts.norm(f"{name}.layers.{i}.norm", norm)
