"""Models in Keras' own ways: files, summaries, and programs that run without hvp."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import keras
import numpy as np

from hvp.config import TrainingConfig
from hvp.families import plain_settings
from hvp.models.arguments import as_frames

if TYPE_CHECKING:
    LearningRate: TypeAlias = float | keras.optimizers.schedules.LearningRateSchedule


class SavedModel(keras.Model):
    """What Keras' own methods need, such as `save`, `summary` and `export`; under `VideoModel`.

    Every subclass is known to Keras by `PACKAGE>CLASS`, PACKAGE being where its module lies. A file
    holds weights, settings and, after `configure_training`, what `fit` goes on with: the settings
    of training and the state of all optimizers.
    """

    height: int
    width: int
    channels: int
    seed: int
    settings: Any
    _trained_with: tuple[TrainingConfig, LearningRate] | None = None

    def __init_subclass__(cls, **kwargs: Any) -> None:
        super().__init_subclass__(**kwargs)
        package = cls.__module__.partition(".")[0]
        keras.saving.register_keras_serializable(package, cls.__name__)(cls)

    def get_config(self) -> dict[str, Any]:
        return {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "seed": self.seed,
            "name": self.name,
            **({} if self.settings is None else plain_settings(self.settings)),
        }

    def begin_training(
        self, training: TrainingConfig, learning_rate: LearningRate | None
    ) -> LearningRate:
        """What every `configure_training` begins with: remembers both, sets `clip_norm`.

        Returns:
            `learning_rate`, by default `training.learning_rate`.
        """
        rate = training.learning_rate if learning_rate is None else learning_rate
        self.clip_norm = training.clip_norm
        self._trained_with = training, rate
        return rate

    def get_compile_config(self) -> dict[str, Any]:
        if self._trained_with is None:
            return super().get_compile_config()
        training, rate = self._trained_with
        return {
            "training": dataclasses.asdict(training),
            "learning_rate": keras.saving.serialize_keras_object(rate),
        }

    def compile_from_config(self, config: dict[str, Any]) -> None:
        if "training" not in config:
            super().compile_from_config(config)
            return
        known = {field.name for field in dataclasses.fields(TrainingConfig)}
        settings = {key: value for key, value in config["training"].items() if key in known}
        rate = keras.saving.deserialize_keras_object(config["learning_rate"])
        self.configure_training(TrainingConfig(**settings), rate)

    def configure_training(
        self, training: TrainingConfig, learning_rate: LearningRate | None = None
    ) -> None:
        raise NotImplementedError

    def save_own_variables(self, store: Any) -> None:
        super().save_own_variables(store)
        for number, variable in enumerate(self._nested_variables()):
            store[f"nested_{number}"] = variable

    def load_own_variables(self, store: Any) -> None:
        variables = self._nested_variables()
        for number, variable in enumerate(variables):
            variable.assign(store[f"nested_{number}"])
        own = {key: store[key] for key in store.keys() if not key.startswith("nested_")}  # noqa: SIM118
        super().load_own_variables(own)

    def _nested_variables(self) -> list[keras.Variable]:
        """Those of layers in lists of lists, which older Keras leaves out of its files."""
        layers = [self, *self._flatten_layers(include_self=False)]
        held = [value for layer in layers for value in vars(layer).values()]
        rows = [row for value in held if isinstance(value, list) for row in value]
        nested = [item for row in rows if isinstance(row, list | tuple) for item in row]
        found = {id(v): v for item in nested if isinstance(item, keras.Layer) for v in item.weights}
        return list(found.values())

    def fit(self, x: Any = None, *arguments: Any, **named: Any) -> Any:
        """Keras' own; frames given as an array must be floats in [0, 1]."""
        if isinstance(x, np.ndarray):
            as_frames(x)  # graphs cannot look at values
        return super().fit(x, *arguments, **named)

    def summary(self, *arguments: Any, **named: Any) -> None:
        """Keras' own, with the shapes that layers give for any number of videos (`None`)."""
        from hvp.models.shapes import shown_shapes

        with shown_shapes(self):
            super().summary(*arguments, **named)

    def export(
        self,
        filepath: str | Path,
        format: str = "tf_saved_model",
        verbose: bool | None = False,
        **shapes: Any,
    ) -> None:
        """Writes `rollout`, or a generator's `generate`, as a program that runs without hvp.

        A predictor's takes `context`, float32 `(batch, time, height, width, channels)` in [0, 1],
        and `seed`, int32 `(2,)`; with `needs_masks` also `masks`. It gives `frames`, as `rollout`
        does for this seed. A generator's takes `seed` alone.

        Args:
            filepath: a folder for `tf_saved_model`; else a file, `.onnx` or `.tflite`.
            format: `tf_saved_model`, whose serving signature is `rollout` or `generate`; or `onnx`
                or `litert`, as far as Keras and their converters can.
            verbose: as Keras'.
            **shapes: of a predictor `horizon`, `context` (by default the least that the model
                needs), `num_samples` (1) and `batch_size` (any); of a generator `num_videos` and
                `num_frames`.

        Raises:
            TypeError, ValueError: for `shapes` that do not fit, naming them.
            UserError: if the format's converter is missing or cannot convert this model.

        Example:
            >>> model.export("served", horizon=20, context=10, num_samples=3)
            >>> served = tf.saved_model.load("served")  # in any process
            >>> served.rollout(context, tf.constant([0, 0]))["frames"].shape
            TensorShape([3, 2, 20, 64, 64, 1])
        """
        from hvp.models.exporting import export

        export(self, filepath, format, bool(verbose), **shapes)
