"""Model families, one folder each, behind the `VideoModel` contract of `hvp.models.base`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hvp._lazy import lazy_exports
from hvp.families import OWN, model_class, plain_settings

if TYPE_CHECKING:
    from hvp.config import ExperimentConfig
    from hvp.models.base import VideoModel

__getattr__, __dir__ = lazy_exports(
    __name__,
    exports={
        "VideoModel": "hvp.models.base",
        # The class of each family, such as `SDFNet`.
        **{name: module for module, name in (str(f.model).split(":") for f in OWN.values())},
    },
    submodules=("base", "seeds", *OWN),
)


def build_model(config: ExperimentConfig) -> VideoModel:
    """Builds the model of an experiment, with its variables, in the frame size of its data.

    Args:
        config: a resolved experiment. Its `seed` decides the initial weights.

    Returns:
        A built `VideoModel`; initial weights follow from `config.seed` alone.

    Example:
        >>> model = hvp.build_model(hvp.load_config("configs/demo.yml"))
    """
    import keras

    keras.utils.set_random_seed(config.seed)
    model = model_class(config.model.family)(
        height=config.data.height,
        width=config.data.width,
        channels=config.data.channels,
        seed=config.seed,
        **plain_settings(config.model),
    )
    model.check_built()
    return model
