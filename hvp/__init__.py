"""hvp: stochastic video prediction and video generation in TensorFlow and Keras.

>>> import hvp
>>> config, model, step = hvp.load_experiment("logs/kth")
>>> futures = model.rollout(context, horizon=20, num_samples=3)
"""

import os
from typing import TYPE_CHECKING

import wrapt

from hvp._lazy import lazy_exports

if TYPE_CHECKING:  # what editors and type checkers see of the names that load on first use
    from hvp import data as data
    from hvp import distances as distances
    from hvp import evaluation as evaluation
    from hvp import layers as layers
    from hvp import losses as losses
    from hvp import metrics as metrics
    from hvp import models as models
    from hvp import training as training
    from hvp import weights as weights
    from hvp.config import ExperimentConfig as ExperimentConfig
    from hvp.config import load_config as load_config
    from hvp.data.sources import register_dataset as register_dataset
    from hvp.errors import UserError as UserError
    from hvp.experiment.checkpoints import load_experiment as load_experiment
    from hvp.experiment.checkpoints import save_experiment as save_experiment
    from hvp.experiment.presets import from_preset as from_preset
    from hvp.experiment.presets import presets as presets
    from hvp.families import Family as Family
    from hvp.families import register_family as register_family
    from hvp.metrics.registry import register_metric as register_metric
    from hvp.models import build_model as build_model
    from hvp.training.trainer import train as train

# TensorFlow reads these when it is first imported. Its start-up notes would bury our messages;
# a user who wants them sets the variables before starting Python.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ.setdefault("KERAS_BACKEND", "tensorflow")

# Keras' files name our classes: they must be known where `keras` and `hvp` are imported.
wrapt.register_post_import_hook("hvp.keras_names:register", "keras")

__version__ = "0.1.0"

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "ExperimentConfig": "hvp.config",
        "Family": "hvp.families",
        "UserError": "hvp.errors",
        "build_model": "hvp.models",
        "from_preset": "hvp.experiment.presets",
        "load_config": "hvp.config",
        "load_experiment": "hvp.experiment.checkpoints",
        "presets": "hvp.experiment.presets",
        "register_dataset": "hvp.data.sources",
        "register_family": "hvp.families",
        "register_metric": "hvp.metrics.registry",
        "save_experiment": "hvp.experiment.checkpoints",
        "train": "hvp.training.trainer",
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
