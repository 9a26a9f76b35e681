"""Trains the small network of the distances: the encoder of a video autoencoder.

    python bench/train_video_features.py [--steps 1200] [--out FILE.npz]

Generated videos alone (moving shapes, digits, forking shapes; some inverted, some with their
colours exchanged, some backwards): nothing is downloaded. The decoder is thrown away. Prints the
SHA-256 of the weights, which docs/distances.md states.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path

import numpy as np

FRAMES, BATCH = 16, 12
SETS = (("moving_shapes", 64, 3), ("moving_mnist", 32, 1), ("forking_shapes", 32, 1))


def batches(steps: int) -> Iterator[np.ndarray]:
    """Clips `(BATCH, FRAMES, 32, 32, 3)` in [0, 1], of all three sets in each step."""
    from hvp.config import DataConfig
    from hvp.data.video_split import VideoSplit
    from hvp.distances.small_network import prepared

    share = BATCH // len(SETS)
    streams = []
    for name, size, channels in SETS:
        count = share * steps
        config = DataConfig(
            dataset=name, height=size, width=size, channels=channels, train_videos=count
        )
        split = VideoSplit(config, "train", seq_len=FRAMES, seed=1)
        streams.append(split.evaluation_batches(share, windows=list(range(count))))
    random = np.random.default_rng(0)
    for parts in zip(*streams, strict=True):
        videos = np.concatenate([prepared(part["video"]).numpy() for part in parts])
        yield np.stack([changed(video, random) for video in videos])


def changed(video: np.ndarray, random: np.random.Generator) -> np.ndarray:
    if random.uniform() < 0.3:
        video = 1.0 - video
    if random.uniform() < 0.5:
        video = video[::-1]
    return video[..., random.permutation(3)]


def autoencoder():
    """The encoder as `hvp.distances.small_network.encode` has it, and a decoder."""
    from keras import Input, Sequential, layers

    from hvp.distances.small_network import LAYERS, SIZE

    last = len(LAYERS) - 1
    return Sequential(
        [
            Input((FRAMES, SIZE, SIZE, 3)),
            layers.Rescaling(1.0, -0.5),
            *(
                layers.Conv3D(
                    width, 3, strides, padding="same", activation=None if i == last else "relu"
                )
                for i, (width, strides) in enumerate(LAYERS)
            ),
            layers.Conv3DTranspose(24, 4, (2, 2, 2), padding="same", activation="relu"),
            layers.Conv3DTranspose(16, 4, (2, 2, 2), padding="same", activation="relu"),
            layers.Conv3DTranspose(3, (3, 4, 4), (1, 2, 2), padding="same"),
            layers.Rescaling(1.0, 0.5),
        ]
    )


def error(truth, found):
    """Of frames, and of their differences in time: what moves counts as much as what stands."""
    import tensorflow as tf

    difference = found - truth
    motion = difference[:, 1:] - difference[:, :-1]
    return tf.reduce_mean(tf.square(difference)) + tf.reduce_mean(tf.square(motion))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--steps", type=int, default=1200)
    parser.add_argument("--out", default="hvp/distances/assets/video_features.npz")
    arguments = parser.parse_args()
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import keras

    from hvp.files import file_sha256

    keras.utils.set_random_seed(0)
    model = autoencoder()
    rate = keras.optimizers.schedules.CosineDecay(2e-3, arguments.steps)
    model.compile(keras.optimizers.Adam(rate), loss=error)
    for step, videos in enumerate(batches(arguments.steps), 1):
        loss = model.train_on_batch(videos, videos)
        if step % 50 == 0:
            print(f"step {step}  running mean of the loss {float(loss):.5f}", flush=True)
    encoder = [layer for layer in model.layers if type(layer) is keras.layers.Conv3D]
    arrays = {}
    for number, layer in enumerate(encoder):
        arrays[f"kernel_{number}"] = layer.kernel.numpy()
        arrays[f"bias_{number}"] = layer.bias.numpy()
    out = Path(arguments.out)
    out.parent.mkdir(parents=True, exist_ok=True)
    np.savez(out, **arrays)
    print(f"{out}: {out.stat().st_size} bytes, SHA-256 {file_sha256(out)}")


if __name__ == "__main__":
    main()
