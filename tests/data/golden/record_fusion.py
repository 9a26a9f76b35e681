"""Records the synthesis network's first updates, written again in PyTorch: fusion_training.npz.

    python3 -m venv torch
    torch/bin/pip install torch==2.13.0 numpy
    torch/bin/python tests/data/golden/record_fusion.py

No code of the paper exists. This is a second reading of what docs/synthesis-network.md says, in
another framework and in float64: networks, losses, gradients and Adam are PyTorch's or written out
here. Weights follow the recipe of the golden files. All frames after the context are translated, so
that no draw of times matters; the dropout's noise is the same for all of them, and recorded.
"""

import json
import zlib
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F

STEPS, RATE, EPSILON = 3, 2e-3, 1e-7
FRAMES, STEP, CHANNELS, SCALE = 4, 2, 3, 2
DROPOUT = 0.5
VIDEOS, LENGTH, HEIGHT, WIDTH = 2, 8, 32, 48
CONFIG = {
    "height": HEIGHT,
    "width": WIDTH,
    "channels": CHANNELS,
    "frames": FRAMES,
    "step": STEP,
    "upscale_factor": SCALE,
    "fusion": False,
    "predictor_filters": [4, 6, 8],
    "translator_filters": [4, 6, 8],
    "discriminator_filters": [4, 6, 8],
    "translator_frames": LENGTH - FRAMES,
    "dropout": DROPOUT,
}
NOISE_SHAPES = [(4, 6, 6), (8, 12, 4)]  # (height, width, channels) of the upward stages
weights, recipe = {}, []


def weight(name, *shape):
    """A variable by the recipe, in TensorFlow's layout; made when it is first asked for."""
    if name not in weights:
        kind = name.split("/")[-1]
        scale = float(np.sqrt(2 / np.prod(shape[:-1]))) if kind == "kernel" else 0.1
        shift = 1.0 if kind == "gamma" else 0.0
        drawn = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
        value = (shift + scale * drawn).astype(np.float32)
        weights[name] = torch.tensor(value.astype(np.float64), requires_grad=True)
        row = {"name": name, "shape": shape, "scale": scale, "shift": shift, "positive": False}
        recipe.append(row)
    return weights[name]


def channels_first(x):
    return torch.movedim(x, -1, 1)


def channels_last(x):
    return torch.movedim(x, 1, -1)


def same_padding(size, kernel, stride):
    """Zeros before and after, by which an output has ceil(size / stride) entries."""
    total = max((-(-size // stride) - 1) * stride + kernel - size, 0)
    return total // 2, total - total // 2


def convolution(x, kernel, strides):
    """`x` is channels last; the kernel `(*sizes, in, out)`."""
    pads = [
        same_padding(n, k, s)
        for n, k, s in zip(x.shape[1:-1], kernel.shape[:-2], strides, strict=True)
    ]
    x = F.pad(x, [0, 0, *[v for pad in pads[::-1] for v in pad]])  # from the last axis on
    function = {2: F.conv2d, 3: F.conv3d}[len(strides)]
    kernel = torch.movedim(kernel, (-1, -2), (0, 1)).contiguous()
    return channels_last(function(channels_first(x), kernel, stride=strides))


def transposed(x, kernel, strides):
    """The gradient of `convolution` with a kernel `(*sizes, out, in)`: sizes times strides."""
    function = {2: F.conv_transpose2d, 3: F.conv_transpose3d}[len(strides)]
    full = channels_last(
        function(
            channels_first(x),
            torch.movedim(kernel, (-1, -2), (0, 1)).contiguous(),
            stride=strides,
        )
    )
    wanted = [n * s for n, s in zip(x.shape[1:-1], strides, strict=True)]
    for axis, (size, k, s) in enumerate(zip(wanted, kernel.shape[:-2], strides, strict=True), 1):
        before, _ = same_padding(size, k, s)
        missing = max(before + size - full.shape[axis], 0)
        full = F.pad(full, [0, 0] * (full.ndim - 1 - axis) + [0, missing])
        full = full.narrow(axis, before, size)
    return full


def high_frequencies(x):
    images = channels_first(x.reshape(-1, *x.shape[-3:]))
    blurred = F.avg_pool2d(images, 3, stride=1, padding=1, count_include_pad=False)
    return x - channels_last(blurred).reshape(x.shape)


def stage(name, x, filters, strides, up=False, norm=True, accompanying=True):
    last = (filters, x.shape[-1]) if up else (x.shape[-1], filters)
    apply = transposed if up else convolution
    y = apply(x, weight(f"{name}/main/kernel", *[3] * len(strides), *last), strides)
    if not norm:
        y = y + weight(f"{name}/main/bias", filters)
    if accompanying:
        kernel = weight(f"{name}/accompanying/kernel", *strides, *last)
        y = y + apply(high_frequencies(x), kernel, strides)
    if norm:
        axes = tuple(range(y.ndim - 1))
        mean, variance = y.mean(axes), y.var(axes, unbiased=False)
        y = (y - mean) / torch.sqrt(variance + 1e-5)
        y = y * weight(f"{name}/norm/gamma", filters) + weight(f"{name}/norm/beta", filters)
    return y


def leaky(x):
    return F.leaky_relu(x, 0.2)


def predictor(pictures, filters=(4, 6, 8)):
    halves = [(2, 2, 2)] * (len(filters) - 1)
    x = leaky(stage("predictor/entry", 2 * pictures - 1, filters[0], (1, 1, 1)))
    skips = []
    for i, strides in enumerate(halves):
        skips.append(x)
        x = leaky(stage(f"predictor/down_{i}", x, filters[i + 1], strides))
    x = leaky(stage("predictor/middle", x, filters[-1], (1, 1, 1)))
    for i in range(len(halves))[::-1]:
        x = F.relu(stage(f"predictor/up_{i}", x, filters[i], halves[i], up=True))
        x = torch.cat([x, skips[i]], dim=-1)
        x = F.relu(stage(f"predictor/merge_{i}", x, filters[i], (1, 1, 1)))
    x = x[:, -STEP:] @ weight("predictor/readout/kernel", 1, 1, 1, filters[0], CHANNELS)[0, 0, 0]
    return torch.sigmoid(x + weight("predictor/readout/bias", CHANNELS))


def translator(condition, noise, filters=(4, 6, 8)):
    x, skips = 2 * condition - 1, []
    for i, count in enumerate(filters):
        x = leaky(stage(f"translator/down_{i}", x, count, (2, 2), norm=i > 0))
        skips.append(x)
    for i, z in zip(range(len(filters) - 1)[::-1], noise, strict=True):
        x = stage(f"translator/up_{i}", x, filters[i], (2, 2), up=True)
        x = x * (z > torch.special.ndtri(torch.tensor(DROPOUT))) / (1 - DROPOUT)
        x = torch.cat([F.relu(x), skips[i]], dim=-1)
    x = stage("translator/readout", x, CHANNELS * SCALE**2, (2, 2), up=True, norm=False)
    n, height, width, _ = x.shape
    x = x.reshape(n, height, width, SCALE, SCALE, CHANNELS).permute(0, 1, 3, 2, 4, 5)
    return (torch.tanh(x.reshape(n, height * SCALE, width * SCALE, CHANNELS)) + 1) / 2


def discriminator(condition, frames, filters=(4, 6, 8)):
    condition = condition.repeat_interleave(SCALE, 1).repeat_interleave(SCALE, 2)
    x = 2 * torch.cat([condition, frames], dim=-1) - 1
    for i, count in enumerate(filters[:-1]):
        name = f"discriminator/down_{i}"
        x = leaky(stage(name, x, count, (2, 2), norm=i > 0, accompanying=False))
    x = leaky(stage("discriminator/last", x, filters[-1], (1, 1), accompanying=False))
    kernel = weight("discriminator/readout/kernel", 3, 3, filters[-1], 1)
    return convolution(x, kernel, (1, 1)) + weight("discriminator/readout/bias", 1)


def similarity(a, b):
    """SSIM with a Gaussian window of sigma 1.5 (Wang et al. 2004) and data range 1."""
    a, b = (channels_first(x.reshape(-1, *x.shape[-3:])).flatten(0, 1)[:, None] for x in (a, b))
    size = min(11, *a.shape[-2:])
    line = torch.exp(-((torch.arange(size, dtype=torch.float64) - (size - 1) / 2) ** 2) / 4.5)
    window = torch.outer(line, line) / line.sum() ** 2

    def mean(x):
        return F.conv2d(x, window[None, None])

    c1, c2 = 0.01**2, 0.03**2
    product, squares = mean(a) * mean(b), mean(a) ** 2 + mean(b) ** 2
    luminance = (2 * product + c1) / (squares + c1)
    structure = (2 * (mean(a * b) - product) + c2) / (mean(a * a + b * b) - squares + c2)
    return (luminance * structure).mean()


def gradient_difference(a, b):
    total = 0.0
    for axis in (-3, -2):
        total = total + (a.diff(dim=axis).abs() - b.diff(dim=axis).abs()).abs().mean()
    return total


def sharp_terms(true, made):
    return {
        "l1": (true - made).abs().mean(),
        "dissimilarity": 1 - similarity(true, made),
        "gradient_difference": gradient_difference(true, made),
    }


class Adam:
    """TensorFlow's: epsilon is added to the root before its bias is corrected."""

    def __init__(self, beta_1):
        self.beta_1, self.moments, self.count = beta_1, {}, 0

    def step(self, gradients):
        self.count += 1
        rate = RATE * np.sqrt(1 - 0.999**self.count) / (1 - self.beta_1**self.count)
        for name, gradient in gradients.items():
            m, v = self.moments.get(name, (0.0, 0.0))
            m = self.beta_1 * m + (1 - self.beta_1) * gradient
            v = 0.999 * v + 0.001 * gradient**2
            self.moments[name] = m, v
            weights[name] = (weights[name] - rate * m / (v.sqrt() + EPSILON)).detach()
            weights[name].requires_grad_(True)


def gradients_of(network, loss):
    named = {name: value for name, value in weights.items() if name.startswith(network)}
    found = torch.autograd.grad(loss, list(named.values()), retain_graph=True)
    return dict(zip(named, found, strict=True))


def smaller(frames):
    n, height, width, c = frames.shape
    return frames.reshape(n, height // SCALE, SCALE, width // SCALE, SCALE, c).mean((2, 4))


def updates(video, noise):
    """The terms of every loss, and the gradients, of each update."""
    pictures = smaller(video.flatten(0, 1)).reshape(
        VIDEOS, LENGTH, HEIGHT // SCALE, WIDTH // SCALE, CHANNELS
    )
    optimizers = {"predictor": Adam(0.9), "translator": Adam(0.5), "discriminator": Adam(0.5)}
    for _ in range(STEPS):
        window, predicted = pictures[:, :FRAMES], []
        for _ in range((LENGTH - FRAMES) // STEP):
            predicted.append(predictor(window))
            window = torch.cat([window, predicted[-1]], dim=1)[:, -FRAMES:]
        predicted = torch.cat(predicted, dim=1)
        terms = sharp_terms(pictures[:, FRAMES:], predicted)
        losses = {"predictor": sum(terms.values())}
        scalars = {f"predictor/{name}": term for name, term in terms.items()}

        before = smaller(video[:, FRAMES - 1 : -1].flatten(0, 1))
        condition = torch.cat([predicted.detach().flatten(0, 1), before], dim=-1)
        true = video[:, FRAMES:].flatten(0, 1)
        made = translator(condition, noise)
        real_logits = discriminator(condition, true)
        fake_logits = discriminator(condition, made)
        terms = sharp_terms(true, made)
        terms["l1"] = 2 * terms["l1"]
        terms["adversarial"] = F.softplus(-fake_logits).mean()
        factors = {"l1": 10.0}
        losses["translator"] = sum(factors.get(name, 1.0) * term for name, term in terms.items())
        scalars |= {f"translator/{name}": term for name, term in terms.items()}
        losses["discriminator"] = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
        scalars["discriminator/loss"] = losses["discriminator"]
        gradients = {name: gradients_of(name, loss) for name, loss in losses.items()}
        for name, optimizer in optimizers.items():
            optimizer.step(gradients[name])
        yield (
            {name: value.item() for name, value in scalars.items()},
            {n: g.numpy() for found in gradients.values() for n, g in found.items()},
        )


def main():
    random = np.random.RandomState(17)
    time, y, x = np.meshgrid(*map(np.arange, (LENGTH, HEIGHT, WIDTH)), indexing="ij")
    video = np.zeros((VIDEOS, LENGTH, HEIGHT, WIDTH, CHANNELS))
    for i in range(VIDEOS):  # blobs that move, on a ripple
        for c in range(CHANNELS):
            left, top = 10 + 8 * i + (2 + c) * time, 16 + (1 - i) * time
            video[i, ..., c] = 0.7 * np.exp(-((x - left) ** 2 + (y - top) ** 2) / 30)
            video[i, ..., c] += 0.15 + 0.15 * np.sin((c + 1) * x / 5 + y / 3)
    video = np.uint8(np.rint(255 * video.clip(0, 1)))
    noise = [random.standard_normal((1, *shape)).astype(np.float32) for shape in NOISE_SHAPES]
    frames = torch.tensor(np.float32(video) / np.float32(255), dtype=torch.float64)
    recorded = list(updates(frames, [torch.tensor(z, dtype=torch.float64) for z in noise]))
    norms = [{n: float(np.linalg.norm(g)) for n, g in found.items()} for _, found in recorded]
    np.savez_compressed(
        Path(__file__).parent / "fusion_training.npz",
        config=json.dumps(CONFIG),
        variables=json.dumps(recipe),
        training=json.dumps({"learning_rate": RATE, "adam_epsilon": EPSILON}),
        inputs_video=video,
        terms=json.dumps([terms for terms, _ in recorded]),
        grad_norms=json.dumps(norms),
        **{f"noise/{i}": z for i, z in enumerate(noise)},
        **{f"first/{n}": np.float32(g) for n, g in recorded[0][1].items()},
        **{f"after/{n}": np.float32(w.detach().numpy()) for n, w in weights.items()},
    )
    for terms, _ in recorded:
        print({name: round(value, 5) for name, value in terms.items()})


if __name__ == "__main__":
    main()
