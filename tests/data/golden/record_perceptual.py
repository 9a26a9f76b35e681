"""Records LPIPS and I3D with seeded weights, into lpips_seeded.npz and i3d_seeded.npz.

    python3 -m venv torch
    torch/bin/pip install torch==2.13.0 numpy scipy tqdm pillow
    torch/bin/pip install --no-deps lpips==0.1.4
    torch/bin/python tests/data/golden/record_perceptual.py [../shared/golden/i3d.npz]

LPIPS is the authors' package, on torchvision's AlexNet trunk written out. I3D is written here in
PyTorch after the paper (Carreira and Zisserman, CVPR 2017) and DeepMind's graph; given the golden
file of `../shared`, made with another implementation and real clips, it must first reproduce that.
Both run in float64 on float32 weights.
"""

import json
import sys
import types
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn


def alexnet(**_):
    """The trunk of torchvision's AlexNet, all that LPIPS uses of torchvision."""
    layers = [nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)]
    layers += [nn.Conv2d(192, 384, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(384, 256, 3, padding=1), nn.ReLU()]
    layers += [nn.Conv2d(256, 256, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)]
    return types.SimpleNamespace(features=nn.Sequential(*layers))


sys.modules["torchvision"] = types.ModuleType("torchvision")
sys.modules["torchvision"].models = types.SimpleNamespace(alexnet=alexnet)

import lpips  # noqa: E402 - finds the trunk above

HERE = Path(__file__).parent

# Branch widths of the inception modules: 1x1, 1x1 and 3x3, 1x1 and 3x3, pooled 1x1.
MODULES = {
    "Mixed_3b": (64, 96, 128, 16, 32, 32),
    "Mixed_3c": (128, 128, 192, 32, 96, 64),
    "Mixed_4b": (192, 96, 208, 16, 48, 64),
    "Mixed_4c": (160, 112, 224, 24, 64, 64),
    "Mixed_4d": (128, 128, 256, 24, 64, 64),
    "Mixed_4e": (112, 144, 288, 32, 64, 64),
    "Mixed_4f": (256, 160, 320, 32, 128, 128),
    "Mixed_5b": (256, 160, 320, 32, 128, 128),
    "Mixed_5c": (384, 192, 384, 48, 128, 128),
}
POOLS = {"Mixed_3b": ((1, 3, 3), (1, 2, 2)), "Mixed_4b": ((3, 3, 3), (2, 2, 2))}
POOLS["Mixed_5b"] = ((2, 2, 2), (2, 2, 2))


def images(count: int, height: int, width: int, shift: int) -> np.ndarray:
    """Coloured ripples, `(count, height, width, 3)` uint8, by integers alone."""
    t, y, x, c = np.ogrid[:count, :height, :width, :3]
    wave = 3 * y + 2 * x + (y * x) // 41 + 9 * t + 57 * c + shift
    return np.abs(wave % 510 - 255).astype(np.uint8)


# I3D -------------------------------------------------------------------------------------------


def shapes() -> dict[str, tuple[int, ...]]:
    """Every variable of the network by its name in DeepMind's checkpoint, and its shape."""
    found: dict[str, tuple[int, ...]] = {}

    def unit(name, kernel, inputs, outputs):
        found[f"{name}/conv_3d/w"] = (*kernel, inputs, outputs)
        for kind in ("beta", "moving_mean", "moving_variance"):
            found[f"{name}/batch_norm/{kind}"] = (outputs,)

    unit("Conv3d_1a_7x7", (7, 7, 7), 3, 64)
    unit("Conv3d_2b_1x1", (1, 1, 1), 64, 64)
    unit("Conv3d_2c_3x3", (3, 3, 3), 64, 192)
    inputs = 192
    for module, (a, b1, b3, c1, c3, d) in MODULES.items():
        # DeepMind's graph calls this one convolution 0a.
        third = "Conv3d_0a_3x3" if module == "Mixed_5b" else "Conv3d_0b_3x3"
        unit(f"{module}/Branch_0/Conv3d_0a_1x1", (1, 1, 1), inputs, a)
        unit(f"{module}/Branch_1/Conv3d_0a_1x1", (1, 1, 1), inputs, b1)
        unit(f"{module}/Branch_1/Conv3d_0b_3x3", (3, 3, 3), b1, b3)
        unit(f"{module}/Branch_2/Conv3d_0a_1x1", (1, 1, 1), inputs, c1)
        unit(f"{module}/Branch_2/{third}", (3, 3, 3), c1, c3)
        unit(f"{module}/Branch_3/Conv3d_0b_1x1", (1, 1, 1), inputs, d)
        inputs = a + b3 + c3 + d
    found["Logits/Conv3d_0c_1x1/conv_3d/w"] = (1, 1, 1, 1024, 400)
    found["Logits/Conv3d_0c_1x1/conv_3d/b"] = (400,)
    return {f"RGB/inception_i3d/{name}": shape for name, shape in found.items()}


def i3d_weights() -> dict[str, torch.Tensor]:
    """The recipe of tests/conftest.py: seed 400 + place among the sorted names."""
    weights = {}
    for index, (name, shape) in enumerate(sorted(shapes().items())):
        z = np.random.RandomState(400 + index).standard_normal(shape)
        kind = name.split("/")[-1]
        if kind == "w":
            z *= np.sqrt(2 / np.prod(shape[:4]))
        elif kind == "moving_variance":
            z = 0.75 + 0.25 * z**2
        else:
            z *= 0.1 if kind == "b" else 0.2
        weights[name] = torch.from_numpy(z.astype(np.float32).astype(np.float64))
    return weights


class I3D:
    """The network as one function, channels first inside."""

    def __init__(self):
        self.weights = i3d_weights()

    def __call__(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """`(time, height, width, 3)` uint8 to the named outputs of the golden files."""
        x = torch.from_numpy(clip.astype(np.float64) / 127.5 - 1).permute(3, 0, 1, 2)[None]
        x = self.unit("Conv3d_1a_7x7", x, stride=2)
        x = pool(x, (1, 3, 3), (1, 2, 2))
        x = self.unit("Conv3d_2c_3x3", self.unit("Conv3d_2b_1x1", x))
        for module in MODULES:
            x = pool(x, *POOLS[module]) if module in POOLS else x
            x = self.inception(module, x)
        x = F.avg_pool3d(x, (2, 7, 7), 1)
        logits = self.convolution("Logits/Conv3d_0c_1x1", x)[:, :, :, 0, 0]
        logits += self.weights["RGB/inception_i3d/Logits/Conv3d_0c_1x1/conv_3d/b"][:, None]
        return {
            "features": x.mean((2, 3, 4)).numpy(),
            "logits_per_time": logits.permute(0, 2, 1).numpy(),
            "logits": logits.mean(2).numpy(),
        }

    def inception(self, module: str, x: torch.Tensor) -> torch.Tensor:
        third = "Conv3d_0a_3x3" if module == "Mixed_5b" else "Conv3d_0b_3x3"
        b = self.unit(f"{module}/Branch_1/Conv3d_0a_1x1", x)
        c = self.unit(f"{module}/Branch_2/Conv3d_0a_1x1", x)
        branches = [
            self.unit(f"{module}/Branch_0/Conv3d_0a_1x1", x),
            self.unit(f"{module}/Branch_1/Conv3d_0b_3x3", b),
            self.unit(f"{module}/Branch_2/{third}", c),
            self.unit(f"{module}/Branch_3/Conv3d_0b_1x1", pool(x, (3, 3, 3), (1, 1, 1))),
        ]
        return torch.cat(branches, 1)

    def convolution(self, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        kernel = self.weights[f"RGB/inception_i3d/{name}/conv_3d/w"].permute(4, 3, 0, 1, 2)
        return F.conv3d(same(x, kernel.shape[2:], (stride,) * 3), kernel, stride=stride)

    def unit(self, name: str, x: torch.Tensor, stride: int = 1) -> torch.Tensor:
        prefix = f"RGB/inception_i3d/{name}/batch_norm"
        mean, variance, beta = (
            self.weights[f"{prefix}/{kind}"][:, None, None, None]
            for kind in ("moving_mean", "moving_variance", "beta")
        )
        return F.relu((self.convolution(name, x, stride) - mean) / (variance + 1e-3).sqrt() + beta)


def same(x: torch.Tensor, kernel, stride) -> torch.Tensor:
    """TensorFlow's SAME padding: the odd zero comes last."""
    padding: list[int] = []
    for size, k, s in zip(x.shape[2:], kernel, stride, strict=True):
        total = max((-(-size // s) - 1) * s + k - size, 0)
        padding = [total // 2, total - total // 2, *padding]
    return F.pad(x, padding)


def pool(x: torch.Tensor, kernel, stride) -> torch.Tensor:
    """What comes in is not negative, so zeros never win."""
    return F.max_pool3d(same(x, kernel, stride), kernel, stride)


def record_i3d(reference: Path | None) -> None:
    network = I3D()
    if reference is not None:
        with np.load(reference) as golden:
            found = network(golden["inputs/clip_b"][0])
            for name, value in found.items():
                expected = golden[f"outputs/clip_b/{name}"]
                error = np.abs(value - expected).max() / np.abs(expected).max()
                print(f"{reference} {name}: relative difference {error:.1e}")
                assert error < 1e-6
    clip = images(10, 200, 212, 0)  # odd sizes inside the network
    outputs = {f"outputs/{name}": value for name, value in network(clip).items()}
    np.savez_compressed(HERE / "i3d_seeded.npz", **{"inputs/clip": clip[None]}, **outputs)


# LPIPS -----------------------------------------------------------------------------------------


def lpips_variables() -> list[dict]:
    """Rows of the recipe for the package's own names."""
    rows = []
    model = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)
    for name, parameter in model.named_parameters():
        if name.startswith("lins."):  # the same as lin0 to lin4
            continue
        shape, lin = list(parameter.shape), name.startswith("lin")
        scale = 0.1 if name.endswith(".bias") else float(np.sqrt(2 / np.prod(shape[1:])))
        rows.append({"name": name, "shape": shape, "scale": scale, "shift": 0.0, "positive": lin})
    return rows


def record_lpips() -> None:
    model = lpips.LPIPS(net="alex", pretrained=False, pnet_rand=True, verbose=False)
    rows, state = lpips_variables(), model.state_dict()
    for row in rows:
        z = np.random.RandomState(zlib.crc32(row["name"].encode())).standard_normal(row["shape"])
        z = np.abs(z) if row["positive"] else z
        value = torch.from_numpy((row["shift"] + row["scale"] * z).astype(np.float32))
        state[row["name"]] = value
        if row["positive"]:
            state[row["name"].replace("lin", "lins.", 1)] = value
    model.load_state_dict(state)
    model = model.double().eval()
    arrays = {"variables": json.dumps(rows)}
    noise = np.random.RandomState(0)
    for height, width in ((64, 64), (33, 50)):
        true = images(3, height, width, 0)
        near = np.clip(true + noise.randint(-40, 41, true.shape), 0, 255)
        pred = np.stack([near[0], images(1, height, width, 90)[0], true[1] // 2]).astype(np.uint8)
        pair = [torch.from_numpy(i.transpose(0, 3, 1, 2) / 255.0) for i in (true, pred)]
        with torch.no_grad():
            distances = model(*pair, normalize=True)[:, 0, 0, 0].numpy()
        size = f"{height}x{width}"
        arrays |= {f"inputs/true_{size}": true, f"inputs/pred_{size}": pred}
        arrays[f"outputs/{size}"] = distances
    np.savez_compressed(HERE / "lpips_seeded.npz", **arrays)


if __name__ == "__main__":
    record_lpips()
    record_i3d(Path(sys.argv[1]) if len(sys.argv) > 1 else None)
