"""Refuses batches that no machine holds before anything is built."""

from __future__ import annotations

import os

from hvp.config.experiment import ExperimentConfig
from hvp.errors import UserError

FLOAT_BYTES = 4
# What is trained on a large machine must load on a small one, for its evaluation.
GENEROUS = 2**38
UNITS = ("MiB", "GiB", "TiB", "PiB", "EiB")


def check_memory(config: ExperimentConfig, origin: str) -> None:
    """Raises a `UserError` where the frames of one batch alone outgrow the memory.

    The limit is the machine's memory or 256 GiB, whichever is more.

    Args:
        origin: the files and overrides that the configuration comes from.
    """
    data = config.data
    limit = max(GENEROUS, _machine_memory())
    for section, settings in (("training", data), ("evaluation", config.evaluation)):
        batch_size, seq_len = getattr(config, section).batch_size, settings.seq_len
        seq_len = max(seq_len, 1)  # auto: as long as the videos are
        numbers = (batch_size, seq_len, data.height, data.width, data.channels)
        needed = FLOAT_BYTES
        for number in numbers:
            needed *= number
        if needed > limit:
            frames = "data" if settings is data else section
            raise UserError(
                f"{origin}: a batch would need {_amount(needed)} of memory: {section}.batch_size "
                f"{batch_size} x {frames}.seq_len {seq_len} x data.height {data.height} x "
                f"data.width {data.width} x data.channels {data.channels} x {FLOAT_BYTES} bytes; "
                f"the limit is {_amount(limit)}"
            )


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (AttributeError, OSError, ValueError):  # not every system tells
        return 0


def _amount(size: int) -> str:
    amount = size / 2**20
    unit = 0
    while amount >= 1024 and unit < len(UNITS) - 1:
        amount, unit = amount / 1024, unit + 1
    return f"{amount:.3g} {UNITS[unit]}" if amount < 1024 else f"{amount:.0e} {UNITS[unit]}"
