"""What a model's predictions cost: size, operations, time, memory, and on what device."""

from __future__ import annotations

import contextlib
import dataclasses
import math
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import tensorflow as tf

from hvp.errors import to_stderr
from hvp.evaluation.operations import count_operations
from hvp.models.base import VideoModel


@dataclasses.dataclass(frozen=True)
class Cost:
    """What predicting costs.

    Attributes:
        parameters: of the model, those included that do not learn.
        flops_per_frame: floating-point operations of one predicted frame of one sample, its share
            of the context's encoding included; `None` for a model that cannot run op by op.
        milliseconds_per_frame: of one predicted frame of one sample, in batches as evaluated.
        examples_at_once, samples_at_once: of the rollouts that were timed.
        peak_memory_gib: `None` where the system does not say.
        memory_of: what that is the memory of: `process`, data and metrics included, or a device.
        device: where it ran.
    """

    parameters: int
    flops_per_frame: float | None
    milliseconds_per_frame: float
    examples_at_once: int
    samples_at_once: int
    peak_memory_gib: float | None
    memory_of: str
    device: str

    def record(self) -> dict[str, Any]:
        """As plain values, and in words."""
        return {**dataclasses.asdict(self), "in_words": str(self)}

    def __str__(self) -> str:
        flops = "operations not counted, "
        if self.flops_per_frame is not None:
            flops = f"{self.flops_per_frame / 1e9:.4g} GFLOP, "
        memory = ""
        if self.peak_memory_gib is not None:
            memory = f"; peak memory of the {self.memory_of} {self.peak_memory_gib:.2f} GiB"
        return (
            f"{self.parameters / 1e6:.4g} M parameters; {flops}"
            f"{self.milliseconds_per_frame:.4g} ms a predicted frame (contexts x samples at once: "
            f"{self.examples_at_once} x {self.samples_at_once}){memory}; {self.device}"
        )


COUNTED = 512  # frames whose operations are counted one by one


class CostMeter:
    """Measures while an evaluation predicts, and counts operations when it is over.

    Args:
        model: a predictor.
    """

    def __init__(self, model: VideoModel) -> None:
        self._model = model
        forget_memory()
        self._warm: set[tuple[int, ...]] = set()  # shapes whose program is compiled
        self._seconds, self._frames = 0.0, 0
        self._again: Callable[[], Iterator[tf.Tensor]] | None = None  # the last rollout
        self._shape: tuple[int, ...] = ()  # its samples, examples, frames
        self._example: Callable[..., Iterator[tf.Tensor]] | None = None  # one context's

    def rollout_parts(
        self,
        context: tf.Tensor,
        horizon: int,
        num_samples: int,
        seed: tf.Tensor,
        clip: bool,
        masks: tf.Tensor | None,
        part: int,
    ) -> Iterator[tf.Tensor]:
        """The model's `rollout_parts`, timed; the first of each shape, which is compiled, counts
        not."""
        roll = partial(self._model.rollout_parts, horizon=horizon, clip=clip, part=part)
        self._again = partial(roll, context, num_samples=num_samples, seed=seed, masks=masks)
        first_masks = None if masks is None else masks[:1]
        self._example = partial(roll, context[:1], seed=0, masks=first_masks)
        self._shape = num_samples, int(context.shape[0]), horizon
        return self._timed(self._again(), self._shape)

    def _timed(self, parts: Iterator[tf.Tensor], shape: tuple[int, ...]) -> Iterator[tf.Tensor]:
        seconds, left = 0.0, shape[2]
        while left:
            start = time.perf_counter()
            predicted = next(parts)
            tf.test.experimental.sync_devices()
            seconds += time.perf_counter() - start
            left -= int(predicted.shape[2])
            if not left:  # before the last part, after which nobody may ask for more
                if shape in self._warm:
                    self._seconds += seconds
                    self._frames += math.prod(shape)
                self._warm.add(shape)
            yield predicted

    def cost(self) -> Cost:
        """Of the rollouts so far, of which there must be one."""
        if self._again is None or self._example is None:
            raise ValueError("nothing was predicted")
        if not self._frames:  # all of them were compiled
            _take_all(self._timed(self._again(), self._shape))
        memory, memory_of = peak_memory_gib()  # before the count, which takes some itself
        return Cost(
            parameters=int(self._model.count_params()),
            flops_per_frame=self._flops_per_frame(self._example),
            milliseconds_per_frame=1000 * self._seconds / self._frames,
            examples_at_once=self._shape[1],
            samples_at_once=self._shape[0],
            peak_memory_gib=memory,
            memory_of=memory_of,
            device=device_name(),
        )

    def _flops_per_frame(self, rollout: Callable[..., Iterator[tf.Tensor]]) -> float | None:
        def counted(frames: int) -> int:
            return count_operations(lambda: _take_all(rollout(horizon=frames)))

        horizon = self._shape[2]
        try:
            if horizon <= COUNTED:
                return counted(horizon) / horizon
            # Op by op is slow, and each part of a long horizon costs what the one before it did.
            first, both = counted(COUNTED // 2), counted(COUNTED)
            return (both + (both - first) * (horizon - COUNTED) / (COUNTED // 2)) / horizon
        except Exception as error:  # a family of somebody else may need graphs; its scores stand
            reason = " ".join(str(error).split())[:200]
            to_stderr(f"note: operations are not counted: {type(error).__name__}: {reason}")
            return None


def _take_all(parts: Iterator[tf.Tensor]) -> None:
    for _ in parts:
        pass


def forget_memory() -> None:
    """Makes `peak_memory_gib` begin anew, where the system can."""
    with contextlib.suppress(OSError):  # Linux alone has the file
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    for gpu in tf.config.list_logical_devices("GPU"):
        tf.config.experimental.reset_memory_stats(_memory_name(gpu))


def peak_memory_gib() -> tuple[float | None, str]:
    """The most memory so far, of a GPU or, without one, of the process, and which it is of."""
    gpus = tf.config.list_logical_devices("GPU")
    if gpus:
        peaks = [tf.config.experimental.get_memory_info(_memory_name(gpu)) for gpu in gpus]
        return max(peak["peak"] for peak in peaks) / 2**30, "GPU"
    try:
        import resource
    except ImportError:  # Windows
        return None, "process"
    unit = 1 if sys.platform == "darwin" else 1024  # bytes there, KiB elsewhere
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30, "process"


def device_name() -> str:
    """The GPUs that TensorFlow uses, or the processor and its cores."""
    gpus = tf.config.get_visible_devices("GPU")
    if gpus:
        details = [tf.config.experimental.get_device_details(gpu) for gpu in gpus]
        return ", ".join(str(detail.get("device_name", "GPU")) for detail in details)
    usable = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    return f"{_processor()}, {usable} cores"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), platform.processor() or platform.machine() or "CPU")


def _memory_name(gpu: tf.config.LogicalDevice) -> str:
    return str(gpu.name).removeprefix("/device:")
