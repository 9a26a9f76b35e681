"""What SDFNet and DFDNet share in PyTorch, stand-ins for the originals in `beside_pytorch.py`.

Written from the papers and from what the published weights are called, so that they can be loaded.
`check` compares a model with outputs and gradients of its original. Tensors are channels-first, as
there. PyTorch is imported by these modules and nowhere else in `bench/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from seeded import seeded_weights  # of tests/
from torch import Tensor, nn
from torch.nn import functional

GOLDEN = Path(__file__).parents[1] / "tests/data/golden/seeded"
STRIDES = (1, 2, 1, 2)
TOLERANCE = 2e-4  # the originals' own float32 is 4e-5 off in training mode

Activation = Callable[[Tensor], Tensor]


class _Stage(nn.Module):
    """Convolution or transposed one, group normalisation, activation."""

    def __init__(
        self,
        channels: int,
        filters: int,
        kernel: int,
        stride: int,
        grows: bool,
        activation: Activation,
    ):
        super().__init__()
        self.activation = activation
        self.conv = nn.ModuleDict()
        place = (channels, filters, kernel, stride, (kernel - 1) // 2)
        if grows and stride > 1:
            self.conv["conv"] = nn.ConvTranspose2d(*place, output_padding=stride // 2)
        else:
            self.conv["conv"] = nn.Conv2d(*place)
        self.conv["norm"] = nn.GroupNorm(2, filters)

    def forward(self, x: Tensor) -> Tensor:
        return self.activation(self.conv["norm"](self.conv["conv"](x)))


class _Encoder(nn.Module):
    def __init__(self, channels: int, hidden: int, kernels: Sequence[int], activation: Activation):
        super().__init__()
        widths = (channels, hidden, hidden, hidden)
        self.enc = nn.ModuleList(
            _Stage(width, hidden, kernel, stride, False, activation)
            for width, kernel, stride in zip(widths, kernels, STRIDES, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        stages = []
        for stage in self.enc:
            x = stage(x)
            stages.append(x)
        return stages


class _Decoder(nn.Module):
    def __init__(self, channels: int, hidden: int, kernels: Sequence[int], activation: Activation):
        super().__init__()
        self.dec = nn.ModuleList(
            _Stage(hidden, hidden, kernel, stride, True, activation)
            for kernel, stride in zip(kernels[::-1], STRIDES[::-1], strict=True)
        )
        self.readout = nn.Conv2d(hidden, channels, 1)

    def forward(self, stages: list[Tensor]) -> Tensor:
        x = self.dec[0](stages[-1])
        for stage, skip in zip(self.dec[1:], stages[-2::-1], strict=True):
            x = stage(x + skip)
        return self.readout(x)


class Normalised(nn.Module):
    """A convolution without bias, batch normalisation, ReLU."""

    def __init__(self, channels: int, filters: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


class FrequencyNet(nn.Module):
    """Maps `(batch, frames, channels, size, size)` to as many frames.

    Args:
        temporal: of all stages `(batch, frames * hidden, height, width)`.
    """

    def __init__(
        self,
        temporal: nn.Module,
        channels: int,
        hidden: int,
        kernels: Sequence[int],
        activation: Activation,
    ):
        super().__init__()
        self.enc = _Encoder(channels, hidden, kernels, activation)
        self.hid1 = nn.ModuleDict({"net": temporal})
        self.dec = _Decoder(channels, hidden, kernels, activation)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, channels, height, width = x.shape
        stages = self.enc(x.reshape(batch * frames, channels, height, width))
        folded = [stage.reshape(batch, -1, *stage.shape[2:]) for stage in stages]
        processed = self.hid1["net"](folded)
        images = [x.reshape(batch * frames, -1, *x.shape[2:]) for x in processed]
        return self.dec(images).reshape(x.shape)


def runs_of(
    model: nn.Module,
    loss_of: Callable[[Tensor, Tensor], Tensor],
    batch: int,
    frames: int = 10,
    size: int = 64,
) -> dict[str, Callable[[], object]]:
    """What `bench/frequency_nets.py` times of ours, of `model`; `loss_of` predicted and true."""
    optimizer = torch.optim.Adam(model.parameters())
    videos = torch.rand(batch, 2 * frames, 1, size, size)
    context, future = videos[:, :frames], videos[:, frames:]

    def infer() -> Tensor:
        model.eval()
        with torch.no_grad():
            return model(context)

    def update() -> float:
        model.train()
        optimizer.zero_grad()
        loss = loss_of(model(context), future)
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"inference": infer, "train step": update}


def check(family: str, model_of: Callable[[Mapping[str, Any]], nn.Module]) -> float:
    """The largest difference from the original's outputs and norms of gradients.

    Args:
        family: names a file in `GOLDEN`.
        model_of: makes the model of the original's configuration.

    Raises:
        RuntimeError: if it is larger than float32 explains.
    """
    golden = np.load(GOLDEN / f"{family}.npz")
    config, video = json.loads(str(golden["config"])), golden["inputs_video"]
    frames, model = config["shape_in"][0], model_of(config)
    weights = seeded_weights(json.loads(str(golden["variables"])))
    for name in ("dec.channel_ex.weight", "dec.channel_ex.bias"):
        weights.pop(name, None)  # SDFNet's original makes them and uses them for nothing
    model.load_state_dict({name: torch.from_numpy(w) for name, w in weights.items()})
    video = torch.from_numpy(np.moveaxis(video, -1, 2).astype(np.float32) / 255)
    context, future = video[:, :frames], video[:, frames:]
    with torch.no_grad():
        predicted = model.eval()(context)
    trained = model.train()(context)
    ((trained - future) ** 2).mean().backward()
    apart = [
        np.abs(predicted.numpy() - golden["outputs_eval"]).max(),
        np.abs(trained.detach().numpy() - golden["outputs_train"]).max(),
    ]
    norms = json.loads(str(golden["grad_norms"]))
    for name, parameter in model.named_parameters():
        if norms.get(name, 0.0) > 1e-6:  # less is the rounding of biases before a norm
            apart.append(abs(float(parameter.grad.norm()) / norms[name] - 1.0))
    if max(apart) > TOLERANCE:
        raise RuntimeError(f"differs from the original by {max(apart):.1e}, not {TOLERANCE}")
    return float(max(apart))
