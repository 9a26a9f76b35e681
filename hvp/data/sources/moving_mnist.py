"""Moving MNIST (Srivastava, Mansimov, Salakhutdinov, ICML 2015), in its three forms.

1. Videos, `train-seq100/` and `test-seq1000/` in data.datadir (.avi or .mp4), as in
   https://archive.org/download/moving_mnist/moving_mnist_2digit.zip (Clockwork VAE's).
2. `mnist_test_seq.npy`, (20, 10000, 64, 64) uint8, the fixed test set of
   http://www.cs.toronto.edu/~nitish/unsupervised_video/: the test split.
3. Generated from digits: MNIST's own files (`train-images-idx3-ubyte[.gz]`,
   `t10k-images-idx3-ubyte[.gz]`) in data.datadir, or, with datadir null, the optical digits that
   ship with hvp. Training sequences are fresh in every epoch, test sequences are always the same.

A split is taken from the first form that is there. 64x64, grey. MNIST: Y. LeCun, C. Cortes,
C. Burges; no licence is stated. Protocols: hierarchical model 36 -> 464 with seq_len 100; SimVP,
SDFNet and DFDNet 10 -> 10.

Rules of generation: two 28x28 digits on a 64x64 canvas, start uniform, direction uniform, a step of
a tenth of the free range per frame, bounce at the walls, overlap by maximum.
"""

from __future__ import annotations

import math
import sys
from pathlib import Path

import numpy as np

from hvp.config import DataConfig
from hvp.data.data_set import DataSet, Preparation
from hvp.data.downloads import Download
from hvp.data.frame_source import FrameSource
from hvp.data.generated_videos import GeneratedVideos
from hvp.data.mnist_files import find_idx_files, read_idx_images
from hvp.data.stored_videos import Splits, VideoFiles, fit_frames, require_folder, videos_in
from hvp.digits import CANVAS, DIGIT_SIZE, embedded_digits
from hvp.errors import UserError

URL = "https://archive.org/download/moving_mnist/moving_mnist_2digit.zip"
VIDEO_FOLDERS = {"train": "train-seq100", "test": "test-seq1000"}
TEST_ARRAY = "mnist_test_seq.npy"
ARRAY_FRAMES = 20
STEP = 0.1  # of the free range, per frame
TEST_SEED = 20150706


class MovingMNIST(DataSet):
    name = "moving_mnist"
    preparation = Preparation(CANVAS, CANVAS, 1)
    protocol = "hierarchical model 36 -> 464; SimVP, SDFNet and DFDNet 10 -> 10; 64x64"
    downloads = (Download(URL),)
    generated = True
    advice = (
        f"it should hold train-seq100/ and test-seq1000/ ({URL}), mnist_test_seq.npy "
        "(http://www.cs.toronto.edu/~nitish/unsupervised_video/) for testing, or MNIST's "
        "train-images-idx3-ubyte.gz and t10k-images-idx3-ubyte.gz; data.datadir=null generates "
        "sequences from the digits that ship with hvp"
    )

    def find_videos(self, root: Path) -> Splits:
        """The videos of the first form; the others need no preparation."""
        return {split: videos_in(root / folder) for split, folder in VIDEO_FOLDERS.items()}

    def open(self, config: DataConfig, split: str, seq_len: int, seed: int) -> FrameSource:
        """Opens a split in the first form that is there."""
        split = "train" if split == "train" else "test"
        if config.datadir is None:
            return self.generate(config, split, seq_len, seed)
        root = require_folder(config, self.advice)
        videos = videos_in(root / VIDEO_FOLDERS[split])
        if videos:
            return VideoFiles(videos, config, seq_len, root)
        if split == "test" and (root / TEST_ARRAY).is_file():
            return TestArray(root / TEST_ARRAY, config, seq_len)
        digits = mnist_digits(root, split)
        if digits is None:
            raise UserError(
                f"data.datadir: {root} holds no Moving MNIST for the {split} split: {self.advice}"
            )
        return GeneratedDigits(digits, config, split, seq_len, seed)

    def generate(self, config: DataConfig, split: str, seq_len: int, seed: int) -> GeneratedDigits:
        """Sequences of the digits that ship with hvp."""
        digits = embedded_digits(split, config.images_per_digit)
        return GeneratedDigits(digits, config, split, seq_len, seed)


def mnist_digits(root: Path, split: str) -> np.ndarray | None:
    """The digits of a split in MNIST's own files, uint8 `(n, 28, 28)`; none without such files."""
    files = find_idx_files(root)
    if split in files:
        digits = read_idx_images(files[split])
        if len(files) == 2:
            return digits
        return _divided(digits, split, files[split])
    if files:
        (path,) = files.values()
        return _divided(read_idx_images(path), split, path)
    return None


def _divided(digits: np.ndarray, split: str, path: Path) -> np.ndarray:
    """Five sixths of the digits for training and the rest for testing, as there is one file."""
    first_test = len(digits) * 5 // 6
    print(
        f"note: only {path} is there, so training uses its first {first_test} digits, testing the "
        f"other {len(digits) - first_test}",
        file=sys.stderr,
    )
    return digits[:first_test] if split == "train" else digits[first_test:]


class TestArray:
    """`mnist_test_seq.npy`, memory-mapped. See `FrameSource`."""

    def __init__(self, path: Path, config: DataConfig, seq_len: int):
        try:
            self._frames = np.load(path, mmap_mode="r", allow_pickle=False)
        except (OSError, ValueError, EOFError) as error:
            raise UserError(f"{path}: cannot be read as an array: {error}") from None
        shape = self._frames.shape
        # (10000, 20, 64, 64), as some store it, would pass for 20 videos of 10000 frames.
        transposed = len(shape) == 4 and shape[1] == ARRAY_FRAMES < shape[0]
        if len(shape) != 4 or self._frames.dtype != np.uint8 or transposed:
            raise UserError(
                f"{path}: holds {self._frames.dtype} {shape}; expected uint8 (20, 10000, 64, 64)"
            )
        length = min(shape[0], config.max_video_len or shape[0])
        if length < seq_len:
            raise UserError(
                f"{path}: its sequences have {length} frames, {seq_len} are needed; lower "
                "data.seq_len or evaluation.seq_len"
            )
        self._config = config
        self.names = [f"{path.name}[{i}]" for i in range(shape[1])]
        self.lengths = [length] * shape[1]
        self.skipped: list[str] = []

    def read(self, video: int, start: int, length: int, epoch: int = 0) -> np.ndarray:
        frames = np.asarray(self._frames[start : start + length, video])[..., None]
        return fit_frames(frames, self._config)


class GeneratedDigits(GeneratedVideos):
    """Random digits of `digits`, uint8 `(n, 28, 28)`."""

    test_seed = TEST_SEED

    def __init__(self, digits: np.ndarray, config: DataConfig, split: str, seq_len: int, seed: int):
        super().__init__(config, split, seq_len, seed)
        self._digits, self._count, self._canvas = digits, config.num_digits, config.canvas

    def draw(self, random: np.random.Generator, num_frames: int) -> np.ndarray:
        chosen = self._digits[random.integers(len(self._digits), size=self._count)]
        draws = random.uniform(size=(self._count, 3))  # start x, start y, direction of every digit
        return render(chosen, draws, num_frames, self._canvas)


def render(
    digits: np.ndarray, draws: np.ndarray, num_frames: int, canvas: int = CANVAS
) -> np.ndarray:
    """Moves digits over the canvas.

    Args:
        digits: uint8 `(n, 28, 28)`.
        draws: `(n, 3)` in [0, 1): horizontal and vertical start in the free range, direction in
            turns.
        canvas: its height and width in pixels.

    Returns:
        uint8 `(num_frames, canvas, canvas, 1)`.
    """
    frames = np.zeros((num_frames, canvas, canvas), np.uint8)
    free = canvas - DIGIT_SIZE
    for digit, (start_x, start_y, direction) in zip(digits, draws, strict=True):
        angle = 2 * math.pi * direction
        lefts = _bounce(start_x, STEP * math.cos(angle), num_frames)
        tops = _bounce(start_y, STEP * math.sin(angle), num_frames)
        for frame, left, top in zip(frames, lefts, tops, strict=True):
            x, y = int(free * left), int(free * top)
            patch = frame[y : y + DIGIT_SIZE, x : x + DIGIT_SIZE]
            np.maximum(patch, digit, out=patch)
    return frames[..., None]


def _bounce(position: float, step: float, num_frames: int) -> list[float]:
    """Positions in [0, 1]; at a wall the digit stops for the rest of the step and turns back."""
    positions = []
    for _ in range(num_frames):
        positions.append(position)
        position += step
        if position <= 0 or position >= 1:
            position = min(max(position, 0.0), 1.0)
            step = -step
    return positions
