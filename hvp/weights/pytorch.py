"""Reads PyTorch checkpoints, unpickling nothing but tensors and command-line arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hvp.errors import UserError

PYTORCH_SUFFIXES = (".pth", ".pt")

MOTION_GAN_NETWORKS = ("g", "g_ema", "img_d", "vid_d")


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a PyTorch state dict, bare or under `net`, by name.

    Read without unpickling anything but tensors.

    Raises:
        UserError: without PyTorch, and for a file that is missing, damaged or something else.
    """
    content = _read_pytorch(path)
    content = content.get("net", content) if isinstance(content, dict) else content
    arrays = _arrays(content)
    if not arrays:
        raise UserError(f"{path}: holds no state dict, neither bare nor under 'net'")
    return arrays


def read_motion_gan(path: Path) -> tuple[dict[str, dict[str, np.ndarray]], dict[str, Any]]:
    """A motion GAN's PyTorch checkpoint.

    Returns:
        The networks `g`, `g_ema`, `img_d` and `vid_d`, without the last two for a file of `g_ema`
        alone, which then is `g` too; and the command line that they were trained by, `args`, empty
        if the file has none.

    Raises:
        UserError: without PyTorch, and for a file that is missing, damaged or something else.
    """
    content = _read_pytorch(path)
    content = content if isinstance(content, dict) else {}
    networks = {name: _arrays(content.get(name)) for name in MOTION_GAN_NETWORKS}
    networks = {name: arrays for name, arrays in networks.items() if arrays}
    missing = [name for name in MOTION_GAN_NETWORKS if name not in networks]
    if missing == ["g", "img_d", "vid_d"]:  # as the original stores between whole checkpoints
        print(
            f"{path}: holds the averaged generator alone; the discriminators are new",
            file=sys.stderr,
        )
        return {"g": networks["g_ema"], **networks}, _arguments(content)
    if missing:
        raise UserError(
            f"{path}: is no checkpoint of the motion GAN: it holds no {', '.join(missing)} (found "
            f"{', '.join(map(str, content)) or 'no names'})"
        )
    return networks, _arguments(content)


def _arguments(content: Mapping[str, Any]) -> dict[str, Any]:
    original = content.get("args")
    return vars(original) if isinstance(original, argparse.Namespace) else {}


def _read_pytorch(path: Path) -> Any:
    """What a PyTorch file holds, unpickling nothing but tensors and command-line arguments."""
    if not path.is_file():
        raise UserError(f"{path}: no such checkpoint")
    try:
        import torch
    except ImportError:
        raise UserError(
            f"{path}: PyTorch is needed to read it, once: pip install torch --index-url "
            "https://download.pytorch.org/whl/cpu"
        ) from None
    try:
        # A namespace holds attributes and runs nothing; the motion GAN stores its arguments so.
        with torch.serialization.safe_globals([argparse.Namespace]):
            return torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever torch and pickle raise for what is no checkpoint
        reason = " ".join(str(error).split())[:200]
        if not reason or "weights_only" in reason:  # PyTorch's advice is to run what is in there
            reason = "it is damaged, or holds more than tensors and arguments"
        raise UserError(f"{path}: cannot be read as a PyTorch state dict: {reason}") from None


def _arrays(content: Any) -> dict[str, np.ndarray]:
    """A state dict's arrays; nothing, if it is none."""
    if not isinstance(content, dict) or not all(hasattr(v, "numpy") for v in content.values()):
        return {}
    # Trained on several GPUs, every name begins with "module.".
    return {name.removeprefix("module."): t.detach().numpy() for name, t in content.items()}
