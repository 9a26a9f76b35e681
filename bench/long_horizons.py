"""Peak memory and time of commands on long horizons: an untrained hierarchical model, 64x64 grey.

    python bench/long_horizons.py [--horizons 2000 20000] [--samples 1] [--demo] [--gallery]
    python bench/long_horizons.py --predict [--horizons 2000 20000] [--format gif,mp4,npz,png]

Without `--predict` it is `hvp evaluate` of one random video, of which the model sees 36 frames,
with MSE, PSNR and SSIM; `--gallery` draws the pictures and GIFs too. `--demo` takes the demo's
size in place of the published one. Every command is a process of its own.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

CONTEXT = 36


def make_experiment(folder: Path, preset: str) -> Path:
    """An untrained model, at step 0."""
    from hvp.quiet import import_tensorflow

    import_tensorflow()
    import hvp
    from hvp.experiment.checkpoints import save_experiment

    data = f"data.datadir={folder / 'videos'}", "data.dataset=folder", "data.channels=1"
    size = "data.height=64", "data.width=64"
    config = hvp.load_config(preset, [*data, *size, f"data.cache_dir={folder / 'cache'}"])
    model = hvp.build_model(config)
    model.configure_training(config.training)
    return save_experiment(config, model, folder / "logs")


def make_video(folder: Path, frames: int) -> Path:
    random = np.random.default_rng(0)
    video = random.integers(0, 256, (frames, 64, 64, 1), np.uint8)
    for split in ("train", "test"):
        (folder / "videos" / split).mkdir(parents=True, exist_ok=True)
        np.save(folder / "videos" / split / "random.npy", video)
    return folder / "videos/test/random.npy"


def run(command: list[str]) -> tuple[float, float]:
    """Seconds and peak GiB of a process."""
    script = (
        "import resource, subprocess, sys\n"
        "code = subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL).returncode\n"
        "print(code, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 2**20)\n"
    )
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", script, sys.executable, "-m", "hvp", *command],
        stdout=subprocess.PIPE, text=True, check=True,
    )  # fmt: skip
    code, peak = done.stdout.split()
    if code != "0":
        sys.exit(f"hvp {' '.join(command)} ended with {code}")
    return time.perf_counter() - start, float(peak)


def command_of(arguments: argparse.Namespace, folder: Path, horizon: int) -> list[str]:
    logs, samples = str(next((folder / "logs").iterdir())), str(arguments.samples)
    if arguments.predict:
        video = str(folder / "videos/test/random.npy")
        return [
            *("predict", "--logdir", logs, "--input", video, "--samples", samples),
            *("--context", str(CONTEXT), "--horizon", str(horizon)),
            *("--format", arguments.format, "--out", str(folder / "predicted")),
        ]
    return [
        *("evaluate", "--logdir", logs, "--eval-seq-len", str(CONTEXT + horizon)),
        *("--open-loop-ctx", str(CONTEXT), "--num-examples", "1", "--num-samples", samples),
        *("--metrics", "mse,psnr,ssim", *(() if arguments.gallery else ("--no-save-grid",))),
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--horizons", type=int, nargs="+", default=[2000, 20000])
    parser.add_argument("--samples", type=int, default=1)
    parser.add_argument("--demo", action="store_true", help="the demo's size of model")
    parser.add_argument("--gallery", action="store_true", help="draw pictures and GIFs")
    parser.add_argument("--predict", action="store_true", help="hvp predict instead")
    parser.add_argument("--format", default="gif", help="of predictions")
    arguments = parser.parse_args()
    print(f"{'horizon':>8}{'seconds':>10}{'peak GiB':>10}", flush=True)
    for horizon in arguments.horizons:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            make_video(folder, CONTEXT + horizon)
            preset = "demo" if arguments.demo else "kth"
            make = [
                sys.executable,
                "-c",
                f"import sys; sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
                f"from long_horizons import *; make_experiment(Path({name!r}), {preset!r})",
            ]
            subprocess.run(make, check=True, stdout=subprocess.DEVNULL)
            seconds, peak = run(command_of(arguments, folder, horizon))
        print(f"{horizon:8}{seconds:10.0f}{peak:10.2f}", flush=True)


if __name__ == "__main__":
    main()
