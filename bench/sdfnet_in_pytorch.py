"""SDFNet in PyTorch; see `frequency_nets_in_pytorch.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import frequency_nets_in_pytorch as shared
from frequency_nets_in_pytorch import FrequencyNet, Normalised
from torch import Tensor, nn
from torch.nn import functional

INVOLUTION_KERNELS = (1, 15, 15, 21)
GROUP = 16  # channels that share a kernel


class _Involution(nn.Module):
    """By unfolding, as the original's: each neighbourhood is a copy."""

    def __init__(self, channels: int, kernel: int):
        super().__init__()
        hidden, self.groups, self.kernel = channels // 4, channels // GROUP, kernel
        reduce = nn.Conv2d(channels, hidden, 1, bias=False)
        self.conv1 = nn.ModuleDict({"conv": reduce, "bn": nn.BatchNorm2d(hidden)})
        self.conv2 = nn.ModuleDict({"conv": nn.Conv2d(hidden, kernel**2 * self.groups, 1)})

    def forward(self, x: Tensor) -> Tensor:
        batch, _, height, width = x.shape
        kernels = functional.relu(self.conv1["bn"](self.conv1["conv"](x)))
        kernels = self.conv2["conv"](kernels).reshape(batch, self.groups, 1, -1, height, width)
        unfolded = functional.unfold(x, self.kernel, padding=self.kernel // 2)
        unfolded = unfolded.reshape(batch, self.groups, GROUP, -1, height, width)
        return (kernels * unfolded).sum(3).reshape(x.shape)


class _Block(nn.Module):
    def __init__(self, width: int, reduction: int, kernel: int, residual: bool):
        super().__init__()
        middle, self.residual = width // reduction, residual
        self.conv1 = nn.Conv2d(width, middle, 1, bias=False)
        self.conv2 = _Involution(middle, kernel)
        self.conv3 = nn.Conv2d(middle, width, 1, bias=False)
        self.bn1, self.bn2, self.bn3 = map(nn.BatchNorm2d, (middle, middle, width))

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = functional.relu(self.bn2(self.conv2(y)))
        y = self.bn3(self.conv3(y))
        return functional.relu(y + x if self.residual else y)


class _Temporal(nn.Module):
    def __init__(self, width: int, blocks: Sequence[int], reduction: int):
        super().__init__()
        half = width // 2
        self.stem = nn.Sequential(
            Normalised(width, half),
            _Involution(half, 3),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            Normalised(half, width),
        )
        for i, (count, kernel) in enumerate(zip(blocks, INVOLUTION_KERNELS, strict=True), 1):
            layer = (_Block(width, reduction, kernel, count >= 6) for _ in range(count))
            setattr(self, f"layer{i}", nn.Sequential(*layer))

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        *before, last = stages
        stages = [*before, functional.max_pool2d(self.stem(last), 3, 1, 1)]
        return [getattr(self, f"layer{i}")(x) for i, x in enumerate(stages, 1)]


def sdfnet(
    frames: int = 10,
    hidden: int = 64,
    channels: int = 1,
    blocks: Sequence[int] = (1, 8, 2, 8),
    reduction: int = 2,
    kernels: Sequence[int] = (3, 3, 3, 3),
) -> FrequencyNet:
    activation = partial(functional.leaky_relu, negative_slope=0.2)
    temporal = _Temporal(frames * hidden, blocks, reduction)
    return FrequencyNet(temporal, channels, hidden, kernels, activation)


def runs_of(hidden: int, batch: int) -> dict[str, Callable[[], object]]:
    """What is timed of the model of that width."""
    return shared.runs_of(sdfnet(hidden=hidden), functional.mse_loss, batch)


def check() -> float:
    """How far it is from its original; raises if it is too far."""

    def model_of(config: Mapping[str, Any]) -> nn.Module:
        sizes = config["shape_in"][0], config["hid_channel"], config["shape_in"][1]
        blocks, reduction = config["layer_config"], config["reduction"]
        return sdfnet(*sizes, blocks, reduction, config["encoder_kernel_size"])

    return shared.check("sdfnet", model_of)
