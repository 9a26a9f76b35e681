"""The frequency-based motion GAN: codes to videos, and its adversarial training.

Hyun et al., "Frequency-based Motion Representation for Video Generative Adversarial Networks",
IEEE Transactions on Image Processing 2023.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import keras
import numpy as np
import tensorflow as tf

from hvp.layers.recompute import inputs_only
from hvp.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from hvp.models.adam import Adam
from hvp.models.base import VideoModel
from hvp.models.motion_gan.average import move_average
from hvp.models.motion_gan.bands import Bands
from hvp.models.motion_gan.codes import Codes, draw_codes
from hvp.models.motion_gan.config import MotionGANConfig
from hvp.models.motion_gan.discriminators import Discriminator, PairDiscriminator
from hvp.models.motion_gan.examples import Seen, augmented, made_examples, real_examples
from hvp.models.motion_gan.generator import Generator
from hvp.models.motion_gan.motion import time_grid
from hvp.models.motion_gan.schedule import PenalisedSchedule
from hvp.models.motion_gan.widths import frame_widths, video_widths
from hvp.models.seeds import Seed, fold_in

if TYPE_CHECKING:
    from hvp.config import TrainingConfig

SIZES = tuple(2**i for i in range(4, 10))  # of the square frames
PIXELS_AT_ONCE = 2**16  # that `generate` renders in one go: memory does not grow with the number


class MotionGAN(VideoModel):
    """Generates videos; see `MotionGANConfig` for the settings.

    Args:
        height, width: equal, a power of two from 16 to 512.
        channels: 1 or 3.
        seed: decides all noise drawn while training.
        **settings: the keys of `MotionGANConfig`.

    `generate` draws videos with the averaged generator. It also takes

    - `time_range`: start and end of the frames' times. Training clips of `video_length` frames span
      -1 to 1: more frames over it are interpolated, times beyond it extrapolated. By default frames
      follow at the training clips' rate from -1 on.
    - `bands` (`Bands`): which frequencies move the videos; all by default.
    - `codes`: instead of fresh ones, as `draw_codes` gives them.

    Attributes:
        generator: the network that learns.
        average: its exponential moving average, which `generate` uses.

    Example:
        >>> model = hvp.models.MotionGAN(height=64, width=64, channels=3, width_factor=0.125)
        >>> model.generate(2, 16, seed=0).shape
        TensorShape([2, 16, 64, 64, 3])
    """

    config_class = MotionGANConfig
    settings: MotionGANConfig

    def __init__(self, *, channels: int = 3, **settings: Any) -> None:
        super().__init__(channels=channels, **settings)

    def make_layers(self) -> None:
        if self.height != self.width or self.height not in SIZES:
            raise ValueError(
                f"height and width must be equal and one of {', '.join(map(str, SIZES))}, received "
                f"{self.height}, {self.width}"
            )
        s = self.settings
        self.min_window = self.max_window = s.video_length
        self.generator = self._make_generator("generator")
        self.average = self._make_generator("average")
        self.average.trainable = False
        frames, videos = frame_widths(s.width_factor), video_widths(s.width_factor)
        small = round(self.height * s.video_discriminator_scale)
        common: dict[str, Any] = {"channels": self.channels, "recompute_from": s.recompute_from}
        patch = s.image_discriminator == "patch_image"
        self.image_discriminator = Discriminator(
            self.height, frames, patch=patch, name="image_discriminator", **common
        )
        name = "video_discriminator"
        if s.video_discriminator == "pair":
            self.video_discriminator = PairDiscriminator(small, frames, name=name, **common)
        else:
            patch, length = s.video_discriminator == "patch_video", s.video_length
            self.video_discriminator = Discriminator(
                small, videos, frames=length, patch=patch, name=name, **common
            )

    def build_layers(self) -> None:
        for network in (self.average, *self._networks.values()):
            network.build()
        self.restart_average()

    def _make_generator(self, name: str) -> Generator:
        s = self.settings
        return Generator(
            self.height,
            s.content_dim,
            s.motion_dim,
            s.frequencies,
            frame_widths(s.width_factor) | (s.widths or {}),
            s.content_layers,
            s.motion_layers,
            self.channels,
            s.recompute_from,
            name=name,
        )

    def restart_average(self) -> None:
        """Sets the averaged generator to the one that learns."""
        for average, variable in zip(self.average.weights, self.generator.weights, strict=True):
            average.assign(variable)

    def histograms(self) -> dict[str, np.ndarray]:
        """The learned frequencies |W| of each branch, for TensorBoard."""
        return {
            f"frequencies/{i}": np.abs(keras.ops.convert_to_numpy(branch.features.frequencies))
            for i, branch in enumerate(self.generator.branches)
        }

    # Training ------------------------------------------------------------------------------

    @property
    def optimizers(self) -> dict[str, keras.optimizers.Optimizer]:
        return {f"{name}_optimizer": getattr(self, f"{name}_optimizer") for name in self._networks}

    @property
    def _networks(self) -> dict[str, keras.layers.Layer]:
        """Every network that learns, by name."""
        names = ("generator", "image_discriminator", "video_discriminator")
        return {name: getattr(self, name) for name in names}

    def configure_training(
        self,
        training: TrainingConfig,
        learning_rate: float | keras.optimizers.schedules.LearningRateSchedule | None = None,
    ) -> None:
        """Makes the three optimizers."""
        learning_rate = self.begin_training(training, learning_rate)
        every = self.settings.r1_every
        for name, network in self._networks.items():
            rate = learning_rate
            if every and network is not self.generator and callable(rate):
                rate = PenalisedSchedule(rate, every)
            optimizer = Adam(
                rate,
                beta_1=self.settings.adam_beta_1,
                beta_2=self.settings.adam_beta_2,
                epsilon=training.adam_epsilon,
                pytorch_epsilon=True,
            )
            optimizer.build(network.trainable_variables)
            setattr(self, f"{name}_optimizer", optimizer)
        self.compile(optimizer=self.generator_optimizer, jit_compile=training.xla)

    def step_function(self, step: int) -> Callable[[tf.Tensor], dict[str, tf.Tensor]]:
        every = self.settings.r1_every
        return self.penalised_step if every and step % every == 0 else self.plain_step

    def train_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """One update, for `model.fit`: the penalty is due by the optimizer's own count."""
        every = self.settings.r1_every
        if not every:
            return self.plain_step(batch)
        due = self.generator_optimizer.iterations % every == 0
        none = {"r1/image": 0.0, "r1/video": 0.0}
        return tf.cond(
            due,
            lambda: self.penalised_step(batch),
            lambda: {**self.plain_step(batch), **none},
        )

    def penalised_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """`plain_step` with a step of both discriminators down their R1 penalties.

        Published is the penalty after each discriminator's own step, at the same augmented
        examples, with the generator's activations waiting meanwhile (`r1_place: after`). Before it,
        at examples of its own, the two do not share the memory.
        """
        if self.settings.r1_place == "after":
            return self._step(batch, penalise=True)
        image, video = self._penalties(batch)
        return {**self.plain_step(batch), "r1/image": image, "r1/video": video}

    def plain_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """An update without penalty; see `_step`."""
        return self._step(batch, penalise=False)

    def _step(self, batch: tf.Tensor, penalise: bool) -> dict[str, tf.Tensor]:
        """One update of both discriminators, then of the generator and its average.

        Args:
            batch: this replica's clips, `(batch, time, height, width, channels)` in [0, 1]; their
                first `video_length` frames are used.
            penalise: a step down the R1 penalty after each discriminator's own.
        """
        seed = fold_in((self.seed, 0), self.generator_optimizer.iterations)
        real = real_examples(self.settings, batch, seed)
        with tf.GradientTape() as making:
            fake = made_examples(self.settings, self.generator, batch, seed)
        scalars = {}
        for kind in ("image", "video"):
            network = getattr(self, f"{kind}_discriminator")
            with tf.GradientTape() as tape:
                loss, scores = self._discriminate(kind, real, fake, seed)
            gradients = tape.gradient(loss, network.trainable_variables)
            optimizer = getattr(self, f"{kind}_discriminator_optimizer")
            norm = self.apply_global_gradients(optimizer, gradients, network.trainable_variables)
            scalars[f"loss/{kind}_discriminator"] = loss
            scalars[f"gradient_norm/{kind}_discriminator"] = norm
            scalars.update(scores)
            if penalise:
                scalars[f"r1/{kind}"] = self._penalise(kind, real, fold_in(seed, 6))
        made = [fake.images, fake.videos]
        with tf.GradientTape() as judging:
            judging.watch(made)
            loss = self._generator_loss(fake, seed)
        with inputs_only():
            judged = judging.gradient(loss, made)
        # The frames are made once: what the judges say of them goes back through the first tape.
        variables = self.generator.trainable_variables
        gradients = making.gradient(made, variables, output_gradients=judged)
        norm = self.apply_global_gradients(self.generator_optimizer, gradients, variables)
        self._update_average(tf.shape(batch)[0])
        scalars["loss"] = scalars["loss/generator"] = loss
        scalars["gradient_norm/generator"] = norm
        rate = tf.cast(self.generator_optimizer.learning_rate, tf.float32)
        return {**scalars, "learning_rate": rate}

    def test_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """The losses without an update; the same noise every time."""
        seed = fold_in((self.seed, 1), 0)
        real, fake = (
            real_examples(self.settings, batch, seed),
            made_examples(self.settings, self.generator, batch, seed),
        )
        scalars = {}
        for kind in ("image", "video"):
            loss, scores = self._discriminate(kind, real, fake, seed)
            scalars[f"loss/{kind}_discriminator"] = loss
            scalars.update(scores)
        scalars["loss"] = scalars["loss/generator"] = self._generator_loss(fake, seed)
        return scalars

    def _penalties(self, batch: tf.Tensor) -> list[tf.Tensor]:
        """A step of either discriminator down its R1 penalty at real examples drawn for it."""
        seed = fold_in((self.seed, 2), self.generator_optimizer.iterations)
        real = real_examples(self.settings, batch, seed)
        return [self._penalise(kind, real, fold_in(seed, 6)) for kind in ("image", "video")]

    def _penalise(self, kind: str, real: Seen, seed: tf.Tensor) -> tf.Tensor:
        """A discriminator's step down its R1 penalty at real examples, as it sees them."""
        s, network = self.settings, getattr(self, f"{kind}_discriminator")
        distance = real.distance if kind == "video" else None
        examples = augmented(real, kind, s.augment, seed)
        with tf.GradientTape() as tape:
            with inputs_only():
                penalty = r1_penalty(lambda x: _judge(network, x, distance), examples)
            loss = penalty * (0.5 * s.r1_weight * s.r1_every)
        variables = network.trainable_variables
        gradients = tape.gradient(loss, variables)
        optimizer = getattr(self, f"{kind}_discriminator_optimizer")
        self.apply_global_gradients(optimizer, gradients, variables)
        return penalty

    def _discriminate(
        self, kind: str, real: Seen, fake: Seen, seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """A discriminator's loss, and its mean scores of real and made examples."""
        real_logits = self._score(kind, real, fold_in(seed, 6))
        fake_logits = self._score(kind, fake, fold_in(seed, 7))
        loss = discriminator_loss(real_logits, fake_logits, self.settings.adversarial_loss)
        return loss, {
            f"score/{kind}_real": tf.reduce_mean(real_logits),
            f"score/{kind}_fake": tf.reduce_mean(fake_logits),
        }

    def _generator_loss(self, fake: Seen, seed: tf.Tensor) -> tf.Tensor:
        # 7: as the discriminators saw them.
        draw = fold_in(seed, 7 if self.settings.augment_once else 8)
        logits = [self._score(kind, fake, draw) for kind in ("image", "video")]
        return tf.add_n([generator_loss(x, self.settings.adversarial_loss) for x in logits])

    def _score(self, kind: str, seen: Seen, seed: tf.Tensor) -> tf.Tensor:
        """Logits of augmented examples."""
        network = getattr(self, f"{kind}_discriminator")
        distance = seen.distance if kind == "video" else None
        return _judge(network, augmented(seen, kind, self.settings.augment, seed), distance)

    def _update_average(self, batch: tf.Tensor) -> None:
        """Moves the average towards the weights, by half in `average_half_life` clips."""
        replicas = tf.distribute.get_replica_context()
        clips = tf.cast(batch * replicas.num_replicas_in_sync, tf.float32)
        decay = tf.pow(0.5, clips / self.settings.average_half_life)
        move_average(self.average, self.generator, decay)

    # Inference -----------------------------------------------------------------------------

    def draw_codes(self, num_videos: int | tf.Tensor, seed: Seed = None) -> Codes:
        """Fresh standard normal codes and noise for `num_videos` videos."""
        return draw_codes(self.generator, num_videos, seed)

    def _generate(  # type: ignore[override]  # with options of its own
        self,
        num_videos: int,
        num_frames: int,
        seed: tf.Tensor,
        time_range: tuple[float, float] | None = None,
        bands: Bands | None = None,
        codes: Codes | None = None,
    ) -> tf.Tensor:
        start, stop = time_range or (-1.0, -1.0 + 2.0 * num_frames / self.settings.video_length)
        if not start < stop:
            raise ValueError(f"time_range must rise, received {start}, {stop}")
        if codes is None:
            codes = self.draw_codes(num_videos, seed)
        bands = None if bands is None else Bands(*bands).check()
        times = time_grid(num_frames, start, stop)
        at_once = max(1, PIXELS_AT_ONCE // (self.height * self.width))

        def render(codes: Codes) -> tf.Tensor:
            parts: list[tf.Tensor] = []
            for i in range(codes.content.shape[0]):
                one = tf.nest.map_structure(lambda code, i=i: code[i : i + 1], codes)
                for first in range(0, num_frames, at_once):
                    # One after the other: side by side, in a graph, each would take its memory.
                    with tf.control_dependencies(parts[-1:]):
                        own = tf.identity(times[first : first + at_once])
                        parts.append(self._render(one, own, bands)[0])
            return tf.reshape(tf.concat(parts, axis=0), (-1, num_frames, *self.frame_shape))

        return self.shared(render, (codes,), key=("generate", num_frames, start, stop, bands))

    @tf.function(reduce_retracing=True, autograph=False)
    def _render(self, codes: Codes, times: tf.Tensor, bands: Bands | None) -> tf.Tensor:
        return (self.average(codes.content, codes.motion, times, codes.noise, bands) + 1.0) / 2.0


def _judge(network: Discriminator, x: tf.Tensor, distance: tf.Tensor | None) -> tf.Tensor:
    return network(x) if distance is None else network(x, distance)
