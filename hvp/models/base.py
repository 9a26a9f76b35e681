"""The contract every model family keeps: `VideoModel`."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar

import keras
import tensorflow as tf

from hvp.errors import UserError
from hvp.layers.bias_gradient import mend_bias_gradient
from hvp.layers.custom_gradients import mend_custom_gradients
from hvp.layers.definitions import mend_definitions
from hvp.layers.stack_traces import mend_stack_traces
from hvp.layers.sums import mend_sums
from hvp.models.adam import Adam
from hvp.models.inference import Inference
from hvp.models.saved import SavedModel
from hvp.models.seeds import fold_in

if TYPE_CHECKING:
    from hvp.config import TrainingConfig

mend_bias_gradient()
mend_custom_gradients()
mend_definitions()
mend_stack_traces()
mend_sums()


class VideoModel(Inference, SavedModel):
    """A model of videos `(batch, time, height, width, channels)`, float32 in [0, 1].

    A family sets `config_class`, makes its layers in `make_layers` and, where tracing `call` does
    not build them all, builds them in `build_layers`. To train, a family with one optimizer
    implements `compute_objective`; one with several overrides `configure_training`, `train_step`,
    `test_step` and `optimizers`. A predictor implements `_rollout`, or `_begin` and `_continue`
    (and, if it can say how likely a frame is, `_distribution`), a generator `_generate`; see
    `Rollouts` and `Inference`.
    `train_step` and `test_step` run in replica context: the trainer calls them through
    `strategy.run`, Keras calls the same ones in `model.fit`.

    Args:
        height, width: frame size in pixels.
        channels: 1 (grey) or 3 (RGB).
        seed: decides all noise drawn while training.
        **settings: the keys of `config_class`.

    Attributes:
        settings: an instance of `config_class`.
        built: all variables are there as soon as the constructor is done.

    Raises:
        ValueError: for a size or setting that is not valid, naming it.
        UserError: if the family leaves a layer without its variables.
    """

    config_class: ClassVar[type | None] = None  # of the settings: a dataclass
    settings: Any
    built: bool  # Keras' own
    min_window = 1  # frames that a training window needs
    max_window: int | None = None  # frames that it may have, where later ones would teach nothing
    pytorch_epsilon = False  # see `Adam`: whose arithmetic the published code was trained by

    def __init__(
        self,
        *,
        height: int = 64,
        width: int = 64,
        channels: int = 1,
        seed: int = 0,
        name: str | None = None,
        **settings: Any,
    ) -> None:
        super().__init__(name=name)
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3, received {channels}")
        self.height, self.width, self.channels, self.seed = height, width, channels, seed
        if self.config_class is None and settings:
            raise TypeError(f"{type(self).__name__} has no setting {', '.join(settings)}")
        self.settings = None if self.config_class is None else self.config_class(**settings)
        self.make_layers()
        self.build()

    def __setattr__(self, name: str, value: Any) -> None:
        try:
            super().__setattr__(name, value)
        except ValueError as error:  # Keras', for layers that come after `build`
            if not getattr(self, "built", False):
                raise
            raise UserError(
                f"{type(self).__name__} makes {name} when it is built already; make_layers is the "
                "place for layers"
            ) from error

    def make_layers(self) -> None:
        """Makes the family's layers; sizes and `settings` are set. Also the place to check them."""

    def build_layers(self) -> None:
        """Makes the variables of all layers; by default by tracing `call` on one context."""
        if type(self).call is not keras.Model.call:
            context = keras.KerasTensor((1, self.min_context, *self.frame_shape))
            keras.Layer.compute_output_spec(self, context)

    def build(self, input_shape: Any = None) -> None:
        """Makes all variables, once; their shapes follow from sizes and settings alone."""
        if not self.built:
            self.build_layers()
            self.built = True
            self.check_built()

    def check_built(self) -> None:
        """Raises a `UserError` that names the layers without variables, if there are any."""
        forgotten = [
            layer.name
            for layer in self._flatten_layers(include_self=False)
            # What is traced and not called has its parts built, and is not marked as built.
            if not (layer.built or layer._flatten_layers(include_self=False))
        ]
        if forgotten:
            raise UserError(
                f"{type(self).__name__} leaves layers without their variables: "
                f"{', '.join(forgotten)}; make them in make_layers and build them in build_layers"
            )

    # Training ------------------------------------------------------------------------------

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        """All optimizers by name, as checkpoints hold them."""
        return {"optimizer": self.optimizer}

    def configure_training(
        self,
        training: TrainingConfig,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    ) -> None:
        """Makes and builds the optimizer(s) that `training` asks for. Call inside the strategy.

        Args:
            training: the experiment's settings.
            learning_rate: the schedule over the run, as `hvp.training.schedules` makes it;
                `training.learning_rate`, constant, by default.
        """
        self.compile(
            optimizer=Adam(
                self.begin_training(training, learning_rate),
                epsilon=training.adam_epsilon,
                pytorch_epsilon=self.pytorch_epsilon,
            ),
            jit_compile=training.xla,
        )
        self.optimizer.build(self.trainable_variables)

    def compute_objective(
        self, batch: tf.Tensor, seed: tf.Tensor, training: bool
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """Returns the scalar loss of `batch` (a mean over its examples) and scalars to report.

        Args:
            batch: `(batch, time, height, width, channels)`, float32 in [0, 1].
            seed: shape `(2,)`, for stateless random ops.
            training: whether the result is differentiated.
        """
        raise NotImplementedError

    def train_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """One update. `batch` is this replica's part of the global batch."""
        seed = fold_in((self.seed, 0), self.optimizer.iterations)
        with tf.GradientTape() as tape:
            loss, scalars = self.compute_objective(batch, seed, training=True)
        gradients = tape.gradient(loss, self.trainable_variables)
        norm = self.apply_global_gradients(self.optimizer, gradients, self.trainable_variables)
        return {
            **scalars,
            "gradient_norm": norm,
            "learning_rate": tf.cast(self.optimizer.learning_rate, tf.float32),
        }

    def step_function(self, step: int) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        """What the trainer calls for update number `step`, counted from 0.

        Families whose updates differ from time to time return one of a few functions.
        """
        return self.train_step

    def histograms(self) -> dict[str, Any]:
        """Values whose distribution TensorBoard shows over the run, by name."""
        return {}

    def test_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """The scalars of `compute_objective` without an update; the same noise every time."""
        _, scalars = self.compute_objective(batch, fold_in((self.seed, 1), 0), training=False)
        return scalars

    def apply_global_gradients(
        self,
        optimizer: keras.optimizers.Optimizer,
        gradients: list[tf.Tensor | None],
        variables: list[Any],
    ) -> tf.Tensor:
        """Averages gradients over replicas, clips their global norm, applies them.

        Clipping sees the gradient of the global batch, so that N replicas take the step that one
        replica with the whole batch would take.

        Returns:
            The global norm before clipping, a scalar.
        """
        replicas = tf.distribute.get_replica_context()
        count = replicas.num_replicas_in_sync
        # A switch may leave variables unused; TensorFlow's own zeros fail for Keras variables.
        gradients = [
            tf.zeros_like(v) if g is None else tf.convert_to_tensor(g)
            for g, v in zip(gradients, variables, strict=True)
        ]
        if count > 1:
            gradients = replicas.all_reduce(tf.distribute.ReduceOp.MEAN, gradients)
        norm = tf.linalg.global_norm(gradients)
        if getattr(self, "clip_norm", None) is not None:
            gradients, _ = tf.clip_by_global_norm(gradients, self.clip_norm, use_norm=norm)
        if isinstance(optimizer, Adam):
            optimizer.apply_reduced(gradients, variables)
        else:
            # It sums over replicas, each of which holds the mean already.
            optimizer.apply([gradient / count for gradient in gradients], variables)
        return norm
