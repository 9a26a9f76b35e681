"""Reads PyTorch checkpoints, unpickling nothing but tensors and command-line arguments."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from hvp.errors import UserError

PYTORCH_SUFFIXES = (".pth", ".pt")

MOTION_GAN_NETWORKS = ("g", "g_ema", "img_d", "vid_d")
MOTION_GAN_OPTIMIZERS = {"g": "g_optim", "img_d": "img_d_optim", "vid_d": "vid_d_optim"}


class AdamState(NamedTuple):
    """What PyTorch's Adam keeps of one parameter: both moments, and the updates made."""

    momentum: np.ndarray
    velocity: np.ndarray
    updates: int


class MotionGANFile(NamedTuple):
    """A motion GAN's PyTorch checkpoint.

    Attributes:
        networks: `g`, `g_ema`, `img_d` and `vid_d`, arrays by name; without the last two for a file
            of `g_ema` alone, which then is `g` too.
        arguments: the command line that they were trained by, empty if the file has none.
        optimizers: of `g`, `img_d` and `vid_d`: the state of each parameter that has one, by its
            place among the network's parameters; empty if the file has none.
        step: updates made.
    """

    networks: dict[str, dict[str, np.ndarray]]
    arguments: dict[str, Any]
    optimizers: dict[str, dict[int, AdamState]]
    step: int


def read_state_dict(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a PyTorch state dict, bare or under `net` or `state_dict`, by name.

    Read without unpickling anything but tensors.

    Raises:
        UserError: without PyTorch, and for a file that is missing, damaged or something else.
    """
    content = _read_pytorch(path)
    if isinstance(content, dict):
        content = content.get("net", content.get("state_dict", content))
    arrays = _arrays(content)
    if not arrays:
        raise UserError(
            f"{path}: holds no state dict, neither bare nor under 'net' or 'state_dict'"
        )
    return arrays


def read_motion_gan(path: Path) -> MotionGANFile:
    """Reads a motion GAN's PyTorch checkpoint.

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
        return MotionGANFile({"g": networks["g_ema"], **networks}, _arguments(content), {}, 0)
    if missing:
        raise UserError(
            f"{path}: is no checkpoint of the motion GAN: it holds no {', '.join(missing)} (found "
            f"{', '.join(map(str, content)) or 'no names'})"
        )
    optimizers = {
        network: _adam_states(content[name], f"{path}: {name}")
        for network, name in MOTION_GAN_OPTIMIZERS.items()
        if name in content
    }
    if len(optimizers) < len(MOTION_GAN_OPTIMIZERS):  # half of them would not go on as it was
        optimizers = {}
    step = content.get("iter", 0) if optimizers else 0
    return MotionGANFile(networks, _arguments(content), optimizers, int(step))


def _adam_states(content: Any, what: str) -> dict[int, AdamState]:
    """The parameters' states of `torch.optim.Adam.state_dict()`, by place."""
    try:
        return {
            int(place): AdamState(
                state["exp_avg"].numpy(), state["exp_avg_sq"].numpy(), int(state["step"])
            )
            for place, state in content["state"].items()
        }
    except (AttributeError, KeyError, TypeError, ValueError):
        raise UserError(f"{what}: is no state of PyTorch's Adam") from None


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
