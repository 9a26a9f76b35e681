"""DFDNet in PyTorch, a stand-in for the original's code in `bench/beside_pytorch.py`.

Written from the paper and from what its published weights are called, so that they can be loaded.
`check` compares it with outputs and gradients of the original itself. Tensors are channels-first,
as there. PyTorch is imported here and nowhere else in `bench/`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch
from seeded import seeded_weights  # of tests/
from torch import Tensor, nn
from torch.nn import functional

GOLDEN = Path(__file__).parents[1] / "tests/data/golden/seeded/dfdnet.npz"
STRIDES = (1, 2, 1, 2)
SEGMENTS = {"atten": 4, "atten1": 8}
TOLERANCE = 2e-4  # the original's own float32 is 4e-5 off in training mode


class _Stage(nn.Module):
    """Convolution or transposed one, group normalisation, Mish."""

    def __init__(self, channels: int, filters: int, kernel: int, stride: int, grows: bool):
        super().__init__()
        self.conv = nn.ModuleDict()
        place = (channels, filters, kernel, stride, (kernel - 1) // 2)
        if grows and stride > 1:
            self.conv["conv"] = nn.ConvTranspose2d(*place, output_padding=stride // 2)
        else:
            self.conv["conv"] = nn.Conv2d(*place)
        self.conv["norm"] = nn.GroupNorm(2, filters)

    def forward(self, x: Tensor) -> Tensor:
        return functional.mish(self.conv["norm"](self.conv["conv"](x)))


class _Encoder(nn.Module):
    def __init__(self, channels: int, hidden: int, kernels: Sequence[int]):
        super().__init__()
        widths = (channels, hidden, hidden, hidden)
        self.enc = nn.ModuleList(
            _Stage(width, hidden, kernel, stride, grows=False)
            for width, kernel, stride in zip(widths, kernels, STRIDES, strict=True)
        )

    def forward(self, x: Tensor) -> list[Tensor]:
        stages = []
        for stage in self.enc:
            x = stage(x)
            stages.append(x)
        return stages


class _Decoder(nn.Module):
    def __init__(self, channels: int, hidden: int, kernels: Sequence[int]):
        super().__init__()
        self.dec = nn.ModuleList(
            _Stage(hidden, hidden, kernel, stride, grows=True)
            for kernel, stride in zip(kernels[::-1], STRIDES[::-1], strict=True)
        )
        self.readout = nn.Conv2d(hidden, channels, 1)

    def forward(self, stages: list[Tensor]) -> Tensor:
        x = self.dec[0](stages[-1])
        for stage, skip in zip(self.dec[1:], stages[-2::-1], strict=True):
            x = stage(x + skip)
        return self.readout(x)


class _Normalised(nn.Module):
    """A convolution without bias, batch normalisation, ReLU."""

    def __init__(self, channels: int, filters: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(channels, filters, 3, stride, 1, bias=False)
        self.bn = nn.BatchNorm2d(filters)

    def forward(self, x: Tensor) -> Tensor:
        return functional.relu(self.bn(self.conv(x)))


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
            convolutions = _Normalised(width, half), _Normalised(half, width, stride)
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


class DFDNet(nn.Module):
    """Maps `(batch, frames, channels, size, size)` to as many frames."""

    def __init__(
        self,
        frames: int = 10,
        channels: int = 1,
        hidden: int = 64,
        size: int = 64,
        blocks: Sequence[int] = (1, 8, 2, 8),
        reduction: int = 2,
        low: float = 0.3125,
        kernels: Sequence[int] = (3, 3, 3, 3),
    ):
        super().__init__()
        self.enc = _Encoder(channels, hidden, kernels)
        temporal = _Temporal(frames * hidden, blocks, reduction, size, low)
        self.hid1 = nn.ModuleDict({"net": temporal})
        self.dec = _Decoder(channels, hidden, kernels)

    def forward(self, x: Tensor) -> Tensor:
        batch, frames, channels, height, width = x.shape
        stages = self.enc(x.reshape(batch * frames, channels, height, width))
        folded = [stage.reshape(batch, -1, *stage.shape[2:]) for stage in stages]
        processed = self.hid1["net"](folded)
        images = [x.reshape(batch * frames, -1, *x.shape[2:]) for x in processed]
        return self.dec(images).reshape(x.shape)


def _frequency_weights(sizes: Sequence[int]) -> Tensor:
    """WFL's: 1.5 minus a Gaussian around the middle of the spectrum."""
    axes = zip(sizes, (8.0, 12.0, 12.0), strict=True)
    bells = (torch.exp(-(((torch.arange(n) - n / 2) / s) ** 2) / 2) for n, s in axes)
    time, height, width = bells
    return 1.5 - time[:, None, None] * height[:, None] * width


def runs_of(hidden: int, batch: int, frames: int = 10, size: int = 64) -> dict[str, Callable]:
    """What `bench/frequency_nets.py` times of DFDNet, of this one."""
    model = DFDNet(frames, hidden=hidden, size=size)
    optimizer = torch.optim.Adam(model.parameters())
    videos = torch.rand(batch, 2 * frames, 1, size, size)
    context, future = videos[:, :frames], videos[:, frames:]
    weights = _frequency_weights((frames, size, size))

    def infer() -> Tensor:
        model.eval()
        with torch.no_grad():
            return model(context)

    def update() -> float:
        model.train()
        optimizer.zero_grad()
        spectrum = torch.fft.fftn((model(context) - future).transpose(1, 2), dim=(-3, -2, -1))
        loss = ((spectrum.real**2 + spectrum.imag**2) * weights).mean()
        loss.backward()
        optimizer.step()
        return loss.item()

    return {"inference": infer, "train step": update}


def check(path: Path = GOLDEN) -> float:
    """The largest difference from the original's outputs and norms of gradients.

    Raises:
        RuntimeError: if it is larger than float32 explains.
    """
    golden = np.load(path)
    config, video = json.loads(str(golden["config"])), golden["inputs_video"]
    frames, channels, size, _ = config["shape_in"]
    model = DFDNet(
        frames,
        channels,
        config["hid_S"],
        size,
        config["layer_config"],
        config["groups"],
        config["COF"],
        config["kernel_size"],
    )
    weights = seeded_weights(json.loads(str(golden["variables"])))
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
