"""The contract every model family keeps: `VideoModel`."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import tensorflow as tf

from hvp.models.adam import Adam

if TYPE_CHECKING:
    from hvp.config import TrainingConfig

Seed = int | tuple[int, int] | tf.Tensor | None


class VideoModel(keras.Model):
    """A model of videos `(batch, time, height, width, channels)`, float32 in [0, 1].

    A family with one optimizer implements `compute_objective`; one with several overrides
    `configure_training`, `train_step` and `optimizers`. A predictor implements `rollout`, a
    generator `generate`. `train_step` and `test_step` run in replica context: the trainer calls
    them through `strategy.run`, Keras calls the same ones in `model.fit`.

    Args:
        height, width: frame size in pixels.
        channels: 1 (grey) or 3 (RGB).
        seed: decides all noise drawn while training.
    """

    min_context = 1  # frames that `rollout` needs
    min_window = 1  # frames that a training window needs
    max_window: int | None = None  # frames that it may have, where later ones would teach nothing
    pytorch_epsilon = False  # see `Adam`: whose arithmetic the published code was trained by
    # Batches are dicts of `video` and `masks` (object labels, uint8 (batch, time, height, width)),
    # and `rollout` takes the context's as `masks`.
    needs_masks = False

    def __init__(
        self,
        *,
        height: int = 64,
        width: int = 64,
        channels: int = 1,
        seed: int = 0,
        name: str | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(name=name, **kwargs)
        if channels not in (1, 3):
            raise ValueError(f"channels must be 1 or 3, received {channels}")
        self.height, self.width, self.channels, self.seed = height, width, channels, seed

    def get_config(self) -> dict[str, Any]:
        return {
            "height": self.height,
            "width": self.width,
            "channels": self.channels,
            "seed": self.seed,
            "name": self.name,
        }

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
        self.clip_norm = training.clip_norm
        if learning_rate is None:
            learning_rate = training.learning_rate
        self.compile(
            optimizer=Adam(
                learning_rate,
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
        if count > 1:
            # The optimizer sums over replicas, and every replica holds the mean already.
            gradients = [gradient / count for gradient in gradients]
        optimizer.apply_gradients(list(zip(gradients, variables, strict=True)))
        return norm

    def check_videos(self, videos: tf.Tensor, at_least: int) -> None:
        """Raises a `ValueError` unless `videos` fit the model and have `at_least` frames."""
        expected = (self.height, self.width, self.channels)
        shape = tuple(videos.shape)
        if len(shape) != 5 or shape[2:] != expected or shape[1] is None or shape[1] < at_least:
            raise ValueError(
                f"expected videos of shape (batch, time, {', '.join(map(str, expected))}) with at "
                f"least {at_least} frames, received {shape}"
            )

    # Inference -----------------------------------------------------------------------------

    def rollout(
        self, context: tf.Tensor, horizon: int, num_samples: int = 1, seed: Seed = None
    ) -> tf.Tensor:
        """Predicts the `horizon` frames that follow `context`.

        Args:
            context: `(batch, time, height, width, channels)`, float32 in [0, 1].
            horizon: number of frames to predict.
            num_samples: number of futures per context.
            seed: makes the result repeatable; `None` draws a new one. The evaluator gives a
                `(batch, 2)` tensor, one pair an example, so that an example's futures do not
                depend on its batch: a stochastic model must accept that as well.

        Returns:
            `(num_samples, batch, horizon, height, width, channels)`, float32 in [0, 1].
        """
        raise NotImplementedError(f"{type(self).__name__} does not predict")

    def generate(self, num_videos: int, num_frames: int, seed: Seed = None) -> tf.Tensor:
        """Draws videos from nothing: `(num_videos, num_frames, height, width, channels)`."""
        raise NotImplementedError(f"{type(self).__name__} does not generate")


def as_seed(seed: Seed) -> tf.Tensor:
    """A seed of shape `(2,)` for stateless random ops; `None` draws a new one.

    A tensor keeps its shape: `(batch, 2)` seeds pass through.
    """
    if seed is None:
        seed = random.SystemRandom().randrange(2**31)
    if isinstance(seed, int):
        seed = (seed, 0)
    return tf.cast(tf.convert_to_tensor(seed), tf.int32)


def fold_in(seed: Seed, data: int | tf.Tensor) -> tf.Tensor:
    """A new seed of shape `(2,)` that depends on `seed` and the integer `data`."""
    return tf.random.experimental.stateless_fold_in(as_seed(seed), tf.cast(data, tf.int32))


def replica_normal(shape: tuple[Any, ...], seed: tf.Tensor) -> tf.Tensor:
    """This replica's share of standard normal noise drawn for the global batch.

    Args:
        shape: of the share; its first axis counts this replica's examples.
        seed: shape `(2,)`, the same on every replica.

    Returns:
        Rows `[replica * shape[0], (replica + 1) * shape[0])` of the noise that one replica would
        draw for the whole batch, so the result does not depend on how many replicas share it.
    """
    local, rest = shape[0], shape[1:]
    return replica_rows(lambda count: tf.random.stateless_normal((count, *rest), seed), local)


def replica_rows(draw: Callable[[Any], Any], local: int | tf.Tensor) -> Any:
    """This replica's rows of what is drawn for the global batch.

    Args:
        draw: from a number of rows to a tensor with as many, or a structure of such tensors; the
            same on every replica.
        local: this replica's number of rows.
    """
    replicas = tf.distribute.get_replica_context()
    if replicas is None or replicas.num_replicas_in_sync == 1:
        return draw(local)
    first = replicas.replica_id_in_sync_group * local
    drawn = draw(local * replicas.num_replicas_in_sync)
    return tf.nest.map_structure(lambda rows: rows[first:][:local], drawn)


def sample_noise(
    seeds: tf.Tensor, num_samples: int, part: int, shape: tuple[int, ...]
) -> tf.Tensor:
    """Normal noise that depends on example and sample only, not on their batch.

    Args:
        seeds: `(batch, 2)` integers, one pair an example.
        num_samples: of each example.
        part: of the model; each has noise of its own.
        shape: of one sample's noise.

    Returns:
        `(num_samples * batch, *shape)`, sample-major.
    """

    def draw(seed_and_sample: tuple[tf.Tensor, tf.Tensor]) -> tf.Tensor:
        seed, sample = seed_and_sample
        seed = fold_in(fold_in(seed, sample), part)
        return tf.random.stateless_normal(shape, seed)

    samples = tf.repeat(tf.range(num_samples), tf.shape(seeds)[0])
    return tf.map_fn(
        draw, (tf.tile(seeds, (num_samples, 1)), samples), fn_output_signature=tf.float32
    )
