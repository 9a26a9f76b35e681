"""The step-by-step synthesis network.

Jing, Ding, Yang, Li, Bao: "Video prediction: a step-by-step improvement of a video synthesis
network", Applied Intelligence, 2021. Frames become fusion pictures; a 3-D U-Net predicts future
pictures, recursively; a conditional GAN translates each to a frame. Published are the abstract, the
symbols, settings of the training, and code of a related system; each file here says which parts are
our reading. In this one: what trains on what in each stage, and the noise of a rollout.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, TypeAlias

import keras
import tensorflow as tf

from hvp.metrics import mse, ssim
from hvp.models.adam import Adam
from hvp.models.base import VideoModel
from hvp.models.fusion.blocks import unsharp
from hvp.models.fusion.config import FusionConfig
from hvp.models.fusion.objectives import Objective, predictor_objective, translator_objectives
from hvp.models.fusion.pictures import make_pictures
from hvp.models.fusion.predictor import Predictor
from hvp.models.fusion.translator import Discriminator, Translator
from hvp.models.samples import by_sample, together
from hvp.models.seeds import fold_in, replica_normal, sample_noise

Batch: TypeAlias = tf.Tensor | dict[str, tf.Tensor]


class FusionModel(VideoModel):
    """Predicts fusion pictures step by step and translates them; see `FusionConfig`.

    Args:
        height, width: of shown frames, divisible by `upscale_factor`.
        channels: 1 or 3.
        seed: decides the regions that `quantize` finds, and the noise drawn while training.
        **settings: the keys of `FusionConfig`.

    Example:
        >>> model = hvp.models.FusionModel(height=32, width=32, upscale_factor=1)
        >>> model.rollout(np.zeros((2, 16, 32, 32, 1), "float32"), horizon=32).shape
        TensorShape([1, 2, 32, 32, 32, 1])
    """

    config_class = FusionConfig
    settings: FusionConfig

    def make_layers(self) -> None:
        s, scale = self.settings, self.settings.upscale_factor
        self.of_translator = s.of_translator()
        if self.height % scale or self.width % scale:
            raise ValueError(
                f"height and width must be divisible by upscale_factor {scale}, received "
                f"{self.height}, {self.width}"
            )
        self.min_context, self.min_window, self.block = s.frames, s.frames + s.step, s.step
        self.stochastic = s.stochastic
        self.needs_masks = s.fusion and s.segmentation == "annotations"
        self.picture_size = size = (self.height // scale, self.width // scale)
        self.predictor = Predictor(
            s.predictor_filters, s.step, self.channels, s.accompanying, *size, name="predictor"
        )
        self.translator = Translator(
            s.translator_filters,
            self.channels,
            self.of_translator.accompanying,
            s.dropout,
            scale,
            *size,
            name="translator",
        )
        self.discriminator = Discriminator(s.discriminator_filters, name="discriminator")

    def build_layers(self) -> None:
        """Traces each network once."""
        c, size = self.channels, self.picture_size
        conditions = c * (2 if self.of_translator.condition_on_previous else 1)
        condition = keras.KerasTensor((1, *size, conditions))
        window = keras.KerasTensor((1, self.settings.frames, *size, c))
        frame = keras.KerasTensor((1, *self.frame_shape))
        inputs = {
            "predictor": [window],
            "translator": [condition],
            "discriminator": [condition, frame],
        }
        for name, tensors in inputs.items():
            with keras.name_scope(name):  # their variables' names must differ
                keras.Layer.compute_output_spec(getattr(self, name), *tensors)
        self._make_graphs()

    def _make_graphs(self) -> None:
        """What `rollout` calls, each traced once for every batch size."""

        def graph(function: Any, *shapes: tuple[int, ...]) -> Any:
            signature = [tf.TensorSpec([None, *shape], tf.float32) for shape in shapes]
            return tf.function(function, input_signature=signature, autograph=False)

        s, frame = self.settings, self.frame_shape
        picture = (*self.picture_size, self.channels)
        masks = [(s.frames, *frame[:2])] if self.needs_masks else []
        noise = self.translator.noise_shapes if s.stochastic else []
        self._graph_pictures = graph(lambda *x: self.pictures(*x), (s.frames, *frame), *masks)
        self._graph_predictor = graph(
            lambda window: self.predictor(window, training=False), (s.frames, *picture)
        )
        self._graph_translate = graph(
            lambda pictures, previous, *noise: self._translate(pictures, previous, noise),
            (s.step, *picture),
            frame,
            *noise,
        )

    def call(self, context: tf.Tensor, training: bool = False) -> tf.Tensor:
        """The `step` frames after `frames` ones: `(batch, step, height, width, channels)`."""
        window = self.pictures(context)
        pictures = self.predictor(window, training=training)
        return self._translate(pictures, context[:, -1], None)

    # Pictures ------------------------------------------------------------------------------

    def pictures(self, frames: tf.Tensor, masks: tf.Tensor | None = None) -> tf.Tensor:
        """The pictures that the predictor sees and predicts, `upscale_factor` times smaller.

        Regions are those of the first `frames` frames: a rollout has no others to find them in.

        Args:
            frames: `(batch, time, height, width, channels)`, float32 in [0, 1].
            masks: `(batch, time, height, width)`, for `segmentation: annotations`.

        Returns:
            `(batch, time, height / upscale_factor, width / upscale_factor, channels)` in [0, 1].
        """
        s, scale = self.settings, self.settings.upscale_factor
        small = self._smaller(frames)
        if not s.fusion:
            return small
        if masks is not None:
            masks = masks[..., scale // 2 :: scale, scale // 2 :: scale]
        return make_pictures(small, s, (self.seed, 0), masks, context=s.frames).fused

    def _smaller(self, frames: tf.Tensor) -> tf.Tensor:
        """Frames `(..., height, width, channels)` by area averaging in the pictures' size."""
        scale = self.settings.upscale_factor
        if scale == 1:
            return frames
        shape = tf.shape(frames)
        images = tf.reshape(frames, (-1, *frames.shape[-3:]))
        images = tf.nn.avg_pool2d(images, scale, strides=scale, padding="VALID")
        return tf.reshape(images, tf.concat([shape[:-3], images.shape[1:]], 0))

    def _condition(self, pictures: tf.Tensor, previous: tf.Tensor) -> tf.Tensor:
        """What the translator sees: `pictures`, and the frames before, of full size."""
        if not self.of_translator.condition_on_previous:
            return pictures
        return tf.concat([pictures, self._smaller(previous)], axis=-1)

    # Training ------------------------------------------------------------------------------

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        names = ("predictor", "translator", "discriminator")
        return {f"{name}_optimizer": getattr(self, f"{name}_optimizer") for name in names}

    def configure_training(self, training, learning_rate=None) -> None:
        """Makes the three optimizers; all of them whatever the stage, so that it may change."""
        learning_rate = self.begin_training(training, learning_rate)
        s, epsilon = self.settings, training.adam_epsilon
        self.predictor_optimizer = Adam(learning_rate, epsilon=epsilon)
        self.translator_optimizer = Adam(learning_rate, beta_1=s.adam_beta_1, epsilon=epsilon)
        self.discriminator_optimizer = Adam(learning_rate, beta_1=s.adam_beta_1, epsilon=epsilon)
        for name in ("predictor", "translator", "discriminator"):
            getattr(self, f"{name}_optimizer").build(getattr(self, name).trainable_variables)
        # Keras' `fit` asks for it; `train_step` uses the others as well.
        self.compile(optimizer=self.predictor_optimizer, jit_compile=training.xla)

    def train_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """One update of what `stage` names.

        `predictor` learns from true pictures; `translator` translates true pictures, `joint` the
        predicted ones, which is what it will see. No gradient passes from one to the other.
        """
        s = self.settings
        count = self.predictor_optimizer.iterations + self.translator_optimizer.iterations
        seed = fold_in((self.seed, 0), count)
        frames, pictures = self._frames_and_pictures(batch)
        shown, first = pictures[:, 1:], 1
        objectives, norms = [], {}
        if s.stage != "translator":
            with tf.GradientTape() as tape:
                predicted = self._predicted(pictures, training=True)
                objective = predictor_objective(s, pictures[:, s.frames :], predicted)
            norms["predictor"] = self._update("predictor", objective.loss, tape)
            objectives.append(objective)
            shown, first = tf.stop_gradient(predicted), s.frames
        if s.stage != "predictor":
            condition, true = self._drawn(frames, shown, first, seed)
            noise = self._training_noise(tf.shape(true)[0], seed)
            judged: tuple[Any, Any, Any] = (self.of_translator, self.translator, self.discriminator)
            with tf.GradientTape(persistent=True) as tape:
                pair = translator_objectives(*judged, condition, true, noise, training=True)
            for name, objective in zip(("translator", "discriminator"), pair, strict=True):
                norms[name] = self._update(name, objective.loss, tape)
            del tape
            objectives.extend(pair)
        trained = "translator" if s.stage == "translator" else "predictor"
        rate = tf.cast(self.optimizers[f"{trained}_optimizer"].learning_rate, tf.float32)
        norms = {f"gradient_norm/{name}": norm for name, norm in norms.items()}
        return {**self._scalars(objectives), **norms, "learning_rate": rate}

    def test_step(self, batch: Batch) -> dict[str, tf.Tensor]:
        """The losses without an update, and MSE and SSIM of the frames after the context.

        Those are translated from predicted pictures; in the stage `translator` from true ones.
        """
        s = self.settings
        frames, pictures = self._frames_and_pictures(batch)
        shown, first = pictures[:, 1:], 1
        future = pictures[:, s.frames :]
        objectives = []
        if s.stage != "translator":
            predicted = self._predicted(pictures, training=False)
            objectives.append(predictor_objective(s, future, predicted))
            shown, first, future = predicted, s.frames, predicted
        if s.stage != "predictor":
            drawn = self._drawn(frames, shown, first, fold_in((self.seed, 1), 0))
            judged = (self.of_translator, self.translator, self.discriminator)
            objectives += translator_objectives(*judged, *drawn, None, training=False)
        true = frames[:, s.frames :]
        result = self._translate(future, frames[:, s.frames - 1], None)
        scores = {"mse": mse(true, result), "ssim": ssim(true, result)}
        means = {name: tf.reduce_mean(score) for name, score in scores.items()}
        return {**self._scalars(objectives), **means}

    def _scalars(self, objectives: list[Objective]) -> dict[str, tf.Tensor]:
        """All terms, and their sum without the discriminator's, which works against the others."""
        terms = {name: term for objective in objectives for name, term in objective.terms.items()}
        losses = [o.loss for o in objectives if "discriminator/loss" not in o.terms]
        return {"loss": tf.add_n(losses), **terms}

    def _frames_and_pictures(self, batch: Batch) -> tuple[tf.Tensor, tf.Tensor]:
        frames, masks = (
            (batch["video"], batch["masks"]) if isinstance(batch, dict) else (batch, None)
        )
        self.check_videos(frames, at_least=self.min_window)
        return frames, self.pictures(frames, masks)

    def _predicted(self, pictures: tf.Tensor, training: bool) -> tf.Tensor:
        """Predicts all pictures after the first `frames`, fed its own after each `step`."""
        s = self.settings
        window, predictions = pictures[:, : s.frames], []
        horizon = pictures.shape[1] - s.frames
        for _ in range(-(-horizon // s.step)):
            predictions.append(self.predictor(window, training=training))
            window = tf.concat([window, predictions[-1]], axis=1)[:, -s.frames :]
        return tf.concat(predictions, axis=1)[:, :horizon]

    def _drawn(
        self, frames: tf.Tensor, pictures: tf.Tensor, first: int, seed: tf.Tensor
    ) -> tuple[tf.Tensor, tf.Tensor]:
        """Conditions and true frames, `(n, ...)`, at `translator_frames` times drawn by `seed`.

        Args:
            pictures: those of the frames from number `first` on.
        """
        count = pictures.shape[1]
        times = tf.random.experimental.stateless_shuffle(tf.range(count), fold_in(seed, 0))
        times = times[: self.settings.translator_frames]
        true = tf.gather(frames, times + first, axis=1)
        previous = tf.gather(frames, times + first - 1, axis=1)
        condition = self._condition(tf.gather(pictures, times, axis=1), previous)
        return tuple(tf.reshape(x, (-1, *x.shape[2:])) for x in (condition, true))

    def _training_noise(self, count: tf.Tensor, seed: tf.Tensor) -> list[tf.Tensor]:
        return [
            replica_normal((count, *shape), fold_in(seed, i))
            for i, shape in enumerate(self.translator.noise_shapes, 1)
        ]

    def _update(self, network: str, loss: tf.Tensor, tape: tf.GradientTape) -> tf.Tensor:
        """One step of a network's optimizer; returns the norm of the gradient."""
        variables = getattr(self, network).trainable_variables
        gradients = tape.gradient(loss, variables)
        return self.apply_global_gradients(
            self.optimizers[f"{network}_optimizer"], gradients, variables
        )

    # Inference -----------------------------------------------------------------------------

    def _begin(
        self,
        context: tf.Tensor,
        count: int,
        num_samples: int,
        seeds: tf.Tensor,
        masks: tf.Tensor | None,
    ) -> tuple[tf.Tensor, Any]:
        """From the last `frames` of `context`; each sample keeps its noise z over all its frames.

        Samples differ with `stochastic: true`, else there is the one prediction without noise. The
        state is the window of pictures, the last frame, not sharpened, and the noise.
        """
        s = self.settings
        given = [context[:, -s.frames :]]
        if masks is not None:
            given.append(tf.cast(masks[:, -s.frames :], tf.float32))
        shapes = self.translator.noise_shapes if s.stochastic else []
        noise = [sample_noise(seeds, num_samples, i, shape) for i, shape in enumerate(shapes)]
        previous = tf.tile(context[:, -1], (num_samples, 1, 1, 1))
        window = self._graph_pictures(*given)[None]
        return self._continue((window, *by_sample((previous, noise), num_samples)), count)

    def _continue(self, state: Any, count: int) -> tuple[tf.Tensor, Any]:
        window, num_samples, shown = state[0][0], state[1].shape[0], []
        previous, noise = together(state[1:])
        for pictures, after in self.predicted_pictures(window, count):
            window = after
            pictures = tf.tile(pictures, (num_samples, 1, 1, 1, 1))
            shown.append(self._graph_translate(pictures, previous, *noise))
            previous = shown[-1][:, -1]
        frames = unsharp(tf.concat(shown, axis=1)[:, :count], self.of_translator.unsharp)
        found = by_sample((frames, previous, noise), num_samples)
        return found[0], (window[None], *found[1:])

    def predicted_pictures(
        self, window: tf.Tensor, horizon: int
    ) -> Iterator[tuple[tf.Tensor, tf.Tensor]]:
        """Pictures after a window, `step` at a time, for at least `horizon`, and later windows."""
        for _ in range(-(-horizon // self.settings.step)):
            pictures = self._graph_predictor(window)
            window = tf.concat([window, pictures], axis=1)[:, -self.settings.frames :]
            yield pictures, window

    def _translate(
        self, pictures: tf.Tensor, previous: tf.Tensor, noise: Sequence[tf.Tensor] | None
    ) -> tf.Tensor:
        """Frames of pictures `(n, time, ...)`, the first after the frame `previous`, in turn.

        Args:
            noise: `(n, *shape)` each, the same for all frames.
        """

        def next_frame(before: tf.Tensor, picture: tf.Tensor) -> tf.Tensor:
            return self.translator(self._condition(picture, before), noise, training=False)

        by_time = tf.transpose(pictures, (1, 0, 2, 3, 4))
        frames = tf.scan(next_frame, by_time, initializer=previous)
        return tf.transpose(frames, (1, 0, 2, 3, 4))
