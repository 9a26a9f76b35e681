"""What every record of results says of the software that it was made with."""

from __future__ import annotations

import datetime

import hvp


def made_with() -> dict[str, str]:
    """Versions and the date, to stand in a record beside the numbers. Imports TensorFlow."""
    import tensorflow as tf

    return {
        "hvp_version": hvp.__version__,
        "tensorflow_version": tf.__version__,
        "date": datetime.datetime.now().astimezone().isoformat(timespec="seconds"),
    }
