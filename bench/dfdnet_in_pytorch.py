"""DFDNet in PyTorch; see `frequency_nets_in_pytorch.py`."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import frequency_nets_in_pytorch as shared
import torch
from frequency_nets_in_pytorch import FrequencyNet, Normalised
from torch import Tensor, nn
from torch.nn import functional

SEGMENTS = {"atten": 4, "atten1": 8}


class _Attention(nn.Module):
    """STAU, on `(batch, width, height, channels)`."""

    def __init__(self, channels: int):
        super().__init__()
        hidden = 2 * channels // 3
        self.fc1, self.fc2 = nn.Linear(channels, 2 * hidden), nn.Linear(hidden, channels)
        gate = nn.Conv2d(hidden, hidden, 3, padding=1, groups=hidden)
        self.dwconv = nn.ModuleDict({"dwconv": gate})

    def forward(self, x: Tensor) -> Tensor:
        gate, value = self.fc1(x).chunk(2, dim=-1)
        gate = self.dwconv["dwconv"](gate.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return self.fc2(functional.gelu(gate) * value)


class _Filter(nn.Module):
    """DFDU, on `(batch, width, height, channels)`."""

    def __init__(self, channels: int, segments: int, size: int, low: float):
        super().__init__()
        self.segments, self.low = segments, low
        columns = size * channels // segments
        self.param_h, self.param_w = (
            nn.Parameter(torch.randn(1, size * segments)) for _ in range(2)
        )
        self.norm1 = nn.LayerNorm(channels)  # in the original too, and used by nothing
        self.mlp_h1, self.mlp_w1 = (nn.Linear(columns // 2, columns, bias=False) for _ in range(2))
        self.mlp_c, self.reweight_h, self.reweight_w = (
            nn.Linear(channels, channels, bias=False) for _ in range(3)
        )

    def forward(self, x: Tensor) -> Tensor:
        batch, first, second, channels = x.shape
        split = x.reshape(batch, first, second, self.segments, channels // self.segments)
        # Rows of the first axis' filter begin with the segment, of the second one's end with it.
        along_first = split.permute(0, 3, 2, 1, 4)
        h = self._predict(along_first, self.param_h, self.mlp_h1).permute(0, 3, 2, 1, 4)
        along_second = split.permute(0, 1, 3, 2, 4)
        w = self._predict(along_second, self.param_w, self.mlp_w1).permute(0, 1, 3, 2, 4)
        h, w, c = h.reshape(x.shape), w.reshape(x.shape), self.mlp_c(x)
        a = self.reweight_h(h.mean(1, keepdim=True))
        b = self.reweight_w(w.mean(2, keepdim=True))
        return h * b + w * a + c * (a + b)

    def _predict(self, lines: Tensor, thresholds: Tensor, predict: nn.Module) -> Tensor:
        rows = lines.reshape(len(lines), lines.shape[1] * lines.shape[2], -1)
        columns = rows.shape[-1]
        spectrum = torch.fft.rfft(rows, dim=-1)
        low = int(self.low * columns + 1)
        passes = spectrum[..., low:].abs() >= thresholds[..., None]
        spectrum = torch.cat([spectrum[..., :low], spectrum[..., low:] * passes], -1)
        filtered = torch.fft.irfft(spectrum, n=columns, dim=-1)
        half = functional.interpolate(filtered, size=columns // 2)
        return (rows + predict(half)).reshape(lines.shape)


class _FilterBlock(nn.Module):
    def __init__(self, channels: int, segments: int, size: int, low: float):
        super().__init__()
        self.norm1 = nn.LayerNorm(channels)
        self.STAU = _Attention(channels)
        self.DFDU = _Filter(channels, segments, size, low)

    def forward(self, x: Tensor) -> Tensor:
        x = x.permute(0, 3, 2, 1)
        x = self.STAU(self.norm1(x)) + x
        x = self.DFDU(self.norm1(x)) + x
        return x.permute(0, 3, 2, 1)


class _Block(nn.Module):
    def __init__(self, width: int, reduction: int, size: int, low: float, residual: bool):
        super().__init__()
        middle, self.residual = width // reduction, residual
        self.conv1 = nn.Conv2d(width, middle, 1, bias=False)
        self.bn1, self.bn3 = nn.BatchNorm2d(middle), nn.BatchNorm2d(width)
        self.bn2 = nn.BatchNorm2d(middle)  # in the original too, and used by nothing
        for name, segments in SEGMENTS.items():
            setattr(self, name, _FilterBlock(middle, segments, size, low))
        self.conv3 = nn.Conv2d(2 * middle, width, 1, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        y = functional.relu(self.bn1(self.conv1(x)))
        y = torch.cat([getattr(self, name)(y) for name in reversed(SEGMENTS)], 1)
        y = self.bn3(self.conv3(y))
        return functional.relu(y + x if self.residual else y)


class _Temporal(nn.Module):
    def __init__(
        self, width: int, blocks: Sequence[int], reduction: int, size: int, low: float
    ) -> None:
        super().__init__()
        half = width // 2

        def stem(stride: int) -> nn.Module:
            convolutions = Normalised(width, half), Normalised(half, width, stride)
            return nn.Sequential(convolutions[0], nn.BatchNorm2d(half), nn.ReLU(), convolutions[1])

        self.stem, self.stem1 = stem(1), stem(2)
        self.Unstem1 = nn.Sequential(
            nn.ConvTranspose2d(width, half, 3, 1, 1),
            nn.BatchNorm2d(half),
            nn.ReLU(),
            nn.ConvTranspose2d(half, width, 3, 2, 1, output_padding=1),
        )
        sizes = (size // 2, size // 2, size // 2, size // 4)
        for i, (count, side) in enumerate(zip(blocks, sizes, strict=True), 1):
            layer = (_Block(width, reduction, side, low, count >= 4) for _ in range(count))
            setattr(self, f"layer{i}", nn.Sequential(*layer))

    def forward(self, stages: list[Tensor]) -> list[Tensor]:
        first, *between, last = stages
        last = functional.max_pool2d(self.stem(last), 3, 1, 1)
        stages = [self.stem1(first), *between, last]
        stages = [getattr(self, f"layer{i}")(x) for i, x in enumerate(stages, 1)]
        return [self.Unstem1(stages[0]), *stages[1:]]


def dfdnet(
    frames: int = 10,
    hidden: int = 64,
    size: int = 64,
    channels: int = 1,
    blocks: Sequence[int] = (1, 8, 2, 8),
    reduction: int = 2,
    low: float = 0.3125,
    kernels: Sequence[int] = (3, 3, 3, 3),
) -> FrequencyNet:
    temporal = _Temporal(frames * hidden, blocks, reduction, size, low)
    return FrequencyNet(temporal, channels, hidden, kernels, functional.mish)


def _frequency_weights(sizes: Sequence[int]) -> Tensor:
    """WFL's: 1.5 minus a Gaussian around the middle of the spectrum."""
    axes = zip(sizes, (8.0, 12.0, 12.0), strict=True)
    bells = (torch.exp(-(((torch.arange(n) - n / 2) / s) ** 2) / 2) for n, s in axes)
    time, height, width = bells
    return 1.5 - time[:, None, None] * height[:, None] * width


def runs_of(hidden: int, batch: int) -> dict[str, Callable[[], object]]:
    """What is timed of the model of that width."""
    weights = _frequency_weights((10, 64, 64))

    def loss_of(predicted: Tensor, true: Tensor) -> Tensor:
        spectrum = torch.fft.fftn((predicted - true).transpose(1, 2), dim=(-3, -2, -1))
        return ((spectrum.real**2 + spectrum.imag**2) * weights).mean()

    return shared.runs_of(dfdnet(hidden=hidden), loss_of, batch)


def check() -> float:
    """How far it is from its original; raises if it is too far."""

    def model_of(config: Mapping[str, Any]) -> nn.Module:
        frames, channels, size, _ = config["shape_in"]
        layers, kernels = config["layer_config"], config["kernel_size"]
        sizes = frames, config["hid_S"], size, channels
        return dfdnet(*sizes, layers, config["groups"], config["COF"], kernels)

    return shared.check("dfdnet", model_of)
