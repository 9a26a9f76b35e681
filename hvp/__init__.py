"""hvp: stochastic video prediction and video generation in TensorFlow and Keras."""

import os

from hvp._lazy import lazy_exports

# TensorFlow reads these when it is first imported. Its start-up notes would bury our messages;
# a user who wants them sets the variables before starting Python.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

__version__ = "0.1.0"

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "ExperimentConfig": "hvp.config",
        "Family": "hvp.families",
        "UserError": "hvp.errors",
        "build_model": "hvp.models",
        "load_config": "hvp.config",
        "register_dataset": "hvp.data.sources",
        "register_family": "hvp.families",
        "register_metric": "hvp.metrics.registry",
    },
    submodules=(
        "data",
        "distances",
        "evaluation",
        "layers",
        "losses",
        "metrics",
        "models",
        "training",
        "weights",
    ),
)
