"""The frequency-based motion GAN: codes to videos, and its adversarial training.

Hyun et al., "Frequency-based Motion Representation for Video Generative Adversarial Networks",
IEEE Transactions on Image Processing 2023.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import keras
import numpy as np
import tensorflow as tf

from hvp.losses.adversarial import discriminator_loss, generator_loss, r1_penalty
from hvp.models.adam import Adam
from hvp.models.base import VideoModel
from hvp.models.motion_gan import augment
from hvp.models.motion_gan.bands import Bands
from hvp.models.motion_gan.config import MotionGANConfig
from hvp.models.motion_gan.discriminators import Discriminator, PairDiscriminator
from hvp.models.motion_gan.generator import Generator
from hvp.models.motion_gan.motion import time_grid
from hvp.models.motion_gan.widths import frame_widths, video_widths
from hvp.models.seeds import Seed, as_seed, fold_in, replica_normal, replica_rows

if TYPE_CHECKING:
    from hvp.config import TrainingConfig

SIZES = tuple(2**i for i in range(4, 10))  # of the square frames
PIXELS_AT_ONCE = 2**16  # that `generate` renders in one go: memory does not grow with the number


class Codes(NamedTuple):
    """What a video is made of.

    Attributes:
        content: `(videos, content_dim)`.
        motion: `(videos, motion_dim)`, or a list of them: one a band, or one a branch.
        noise: one `(videos, h, w, 1)` for each layer of the renderer that adds noise.
    """

    content: tf.Tensor
    motion: tf.Tensor | Sequence[tf.Tensor]
    noise: Sequence[tf.Tensor]


class _Seen(NamedTuple):
    """What the discriminators judge, before augmentation, in [-1, 1]."""

    images: tf.Tensor  # (batch, h, w, c)
    videos: tf.Tensor  # (videos, time, h, w, c), averaged down; a pair for the pair discriminator
    distance: tf.Tensor | None  # (videos, 1), of the pair


class _PenalisedSchedule(keras.optimizers.schedules.LearningRateSchedule):
    """The rate of an optimizer that counts a penalty step at every `every`-th update too.

    A penalty has the rate of its update, before which or after which it is.
    """

    def __init__(self, schedule: keras.optimizers.schedules.LearningRateSchedule, every: int):
        self.schedule, self.every = schedule, every

    def __call__(self, step: tf.Tensor) -> tf.Tensor:
        return self.schedule(self._updates(step))

    @property
    def beta_1(self) -> Callable[[tf.Tensor], tf.Tensor] | None:
        """Adam's, where the schedule cycles it."""
        cycled = getattr(self.schedule, "beta_1", None)
        return None if cycled is None else lambda step: cycled(self._updates(step))

    def _updates(self, step: tf.Tensor) -> tf.Tensor:
        step = tf.cast(step, tf.int64)
        penalties = (step + self.every) // (self.every + 1)  # the first step is one
        return step - penalties

    def get_config(self) -> dict[str, Any]:
        return {"schedule": self.schedule, "every": self.every}


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
        self.image_discriminator = Discriminator(
            self.height,
            frames,
            patch=s.image_discriminator == "patch_image",
            channels=self.channels,
            name="image_discriminator",
        )
        if s.video_discriminator == "pair":
            self.video_discriminator = PairDiscriminator(
                small, frames, channels=self.channels, name="video_discriminator"
            )
        else:
            self.video_discriminator = Discriminator(
                small,
                videos,
                frames=s.video_length,
                patch=s.video_discriminator == "patch_video",
                channels=self.channels,
                name="video_discriminator",
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
        self.clip_norm = training.clip_norm
        if learning_rate is None:
            learning_rate = training.learning_rate
        every = self.settings.r1_every
        for name, network in self._networks.items():
            rate = learning_rate
            if every and network is not self.generator and callable(rate):
                rate = _PenalisedSchedule(rate, every)
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
        real = self._real(batch, seed)
        with tf.GradientTape() as making:
            fake = self._fake(batch, seed)
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
        # The frames are made once: what the judges say of them goes back through the first tape.
        variables = self.generator.trainable_variables
        gradients = making.gradient(made, variables, output_gradients=judging.gradient(loss, made))
        norm = self.apply_global_gradients(self.generator_optimizer, gradients, variables)
        self._update_average(tf.shape(batch)[0])
        scalars["loss"] = scalars["loss/generator"] = loss
        scalars["gradient_norm/generator"] = norm
        rate = tf.cast(self.generator_optimizer.learning_rate, tf.float32)
        return {**scalars, "learning_rate": rate}

    def test_step(self, batch: tf.Tensor) -> dict[str, tf.Tensor]:
        """The losses without an update; the same noise every time."""
        seed = fold_in((self.seed, 1), 0)
        real, fake = self._real(batch, seed), self._fake(batch, seed)
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
        real = self._real(batch, seed)
        return [self._penalise(kind, real, fold_in(seed, 6)) for kind in ("image", "video")]

    def _penalise(self, kind: str, real: _Seen, seed: tf.Tensor) -> tf.Tensor:
        """A discriminator's step down its R1 penalty at real examples, as it sees them."""
        s, network = self.settings, getattr(self, f"{kind}_discriminator")
        distance = real.distance if kind == "video" else None
        examples = self._augmented(kind, real, seed)
        with tf.GradientTape() as tape:
            penalty = r1_penalty(lambda x: _judge(network, x, distance), examples)
            loss = penalty * (0.5 * s.r1_weight * s.r1_every)
        variables = network.trainable_variables
        gradients = tape.gradient(loss, variables)
        optimizer = getattr(self, f"{kind}_discriminator_optimizer")
        self.apply_global_gradients(optimizer, gradients, variables)
        return penalty

    def _real(self, batch: tf.Tensor, seed: tf.Tensor) -> _Seen:
        """One frame of each clip, and every `images_per_video`-th clip."""
        s = self.settings
        batch = batch[:, : s.video_length] * 2.0 - 1.0
        count = tf.shape(batch)[0]
        chosen = replica_rows(
            lambda n: tf.random.stateless_uniform(
                (n,), fold_in(seed, 0), maxval=s.video_length, dtype=tf.int32
            ),
            count,
        )
        images = tf.gather(batch, chosen, batch_dims=1)
        videos = batch[:: s.images_per_video]
        if s.video_discriminator != "pair":
            return _Seen(images, self._smaller(videos), None)
        positions = self._positions(tf.shape(videos)[0], fold_in(seed, 1))
        pairs = tf.gather(videos, positions, batch_dims=1)  # (videos, 2, h, w, c)
        return _Seen(images, self._smaller(pairs), self._distance(positions))

    def _fake(self, batch: tf.Tensor, seed: tf.Tensor) -> _Seen:
        """As many frames and videos as `_real` gives, from fresh codes each."""
        s = self.settings
        count = tf.shape(batch)[0]
        grid = tf.constant(time_grid(s.video_length))
        chosen = replica_rows(
            lambda n: tf.random.stateless_uniform(
                (n, 1), fold_in(seed, 2), maxval=s.video_length, dtype=tf.int32
            ),
            count,
        )
        codes = self.draw_codes(count, fold_in(seed, 3))
        images = self.generator(codes.content, codes.motion, tf.gather(grid, chosen), codes.noise)
        videos = -(-count // s.images_per_video)
        codes = self.draw_codes(videos, fold_in(seed, 4))
        distance = None
        if s.video_discriminator == "pair":
            positions = self._positions(videos, fold_in(seed, 5))
            grid, distance = tf.gather(grid, positions), self._distance(positions)
        made = self.generator(codes.content, codes.motion, grid, codes.noise)
        return _Seen(images[:, 0], self._smaller(made), distance)

    def _positions(self, count: tf.Tensor, seed: tf.Tensor) -> tf.Tensor:
        """Two different frames of each clip in order, `(count, 2)`."""
        length = self.settings.video_length
        order = replica_rows(lambda n: tf.random.stateless_uniform((n, length), seed), count)
        return tf.sort(tf.argsort(order, axis=1)[:, :2], axis=1)

    def _distance(self, positions: tf.Tensor) -> tf.Tensor:
        """Time between two frames of a clip that spans 2 units, `(count, 1)`."""
        steps = tf.cast(positions[:, 1:] - positions[:, :1], tf.float32)
        return steps * (2.0 / self.settings.video_length)

    def _smaller(self, videos: tf.Tensor) -> tf.Tensor:
        """Averages height and width down to what the video discriminator sees."""
        factor = round(1 / self.settings.video_discriminator_scale)
        if factor == 1:
            return videos
        shape = (1, 1, factor, factor, 1)
        return tf.nn.avg_pool3d(videos, shape, shape, padding="VALID")

    def _discriminate(
        self, kind: str, real: _Seen, fake: _Seen, seed: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """A discriminator's loss, and its mean scores of real and made examples."""
        real_logits = self._score(kind, real, fold_in(seed, 6))
        fake_logits = self._score(kind, fake, fold_in(seed, 7))
        loss = discriminator_loss(real_logits, fake_logits, self.settings.adversarial_loss)
        return loss, {
            f"score/{kind}_real": tf.reduce_mean(real_logits),
            f"score/{kind}_fake": tf.reduce_mean(fake_logits),
        }

    def _generator_loss(self, fake: _Seen, seed: tf.Tensor) -> tf.Tensor:
        # 7: as the discriminators saw them.
        draw = fold_in(seed, 7 if self.settings.augment_once else 8)
        logits = [self._score(kind, fake, draw) for kind in ("image", "video")]
        return tf.add_n([generator_loss(x, self.settings.adversarial_loss) for x in logits])

    def _score(self, kind: str, seen: _Seen, seed: tf.Tensor) -> tf.Tensor:
        """Logits of augmented examples."""
        network = getattr(self, f"{kind}_discriminator")
        distance = seen.distance if kind == "video" else None
        return _judge(network, self._augmented(kind, seen, seed), distance)

    def _augmented(self, kind: str, seen: _Seen, seed: tf.Tensor) -> tf.Tensor:
        """What a discriminator sees of its examples."""
        video = kind == "video"
        examples = seen.videos if video else seen.images
        seed = fold_in(seed, int(video))
        height, width = examples.shape[-3:-1]
        policies = self.settings.augment
        draws = replica_rows(
            lambda n: augment.draw(policies, n, height, width, seed), tf.shape(examples)[0]
        )
        return augment.apply(examples, draws)

    def _update_average(self, batch: tf.Tensor) -> None:
        """Moves the average towards the weights, by half in `average_half_life` clips."""
        replicas = tf.distribute.get_replica_context()
        clips = tf.cast(batch * replicas.num_replicas_in_sync, tf.float32)
        decay = tf.pow(0.5, clips / self.settings.average_half_life)
        pairs = [
            (average.value, tf.convert_to_tensor(variable.value))
            for average, variable in zip(self.average.weights, self.generator.weights, strict=True)
        ]

        def update(strategy: tf.distribute.Strategy, pairs: list, decay: tf.Tensor) -> None:
            def move(average: tf.Variable, value: tf.Tensor, decay: tf.Tensor) -> None:
                average.assign_add((value - average) * (1.0 - decay))

            for average, value in pairs:
                strategy.extended.update(average, move, args=(value, decay), group=False)

        replicas.merge_call(update, args=(pairs, decay))

    # Inference -----------------------------------------------------------------------------

    def draw_codes(self, num_videos: int | tf.Tensor, seed: Seed = None) -> Codes:
        """Fresh standard normal codes and noise for `num_videos` videos."""
        seeds = tf.unstack(tf.random.split(as_seed(seed), 2 + len(self.generator.renderer.noises)))
        content, motion = (
            replica_normal((num_videos, dim), s)
            for dim, s in zip(
                (self.settings.content_dim, self.settings.motion_dim), seeds, strict=False
            )
        )
        noise = [
            replica_normal((num_videos, size, size, 1), s)
            for size, s in zip(self.generator.renderer.noise_sizes, seeds[2:], strict=True)
        ]
        return Codes(content, motion, noise)

    def _generate(  # type: ignore[override]  # its own options, by name
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
        times = time_grid(num_frames, start, stop)
        at_once = max(1, PIXELS_AT_ONCE // (self.height * self.width))
        videos = []
        for i in range(num_videos):
            one = tf.nest.map_structure(lambda code, i=i: code[i : i + 1], codes)
            parts = [
                self._render(one, times[first : first + at_once], bands)
                for first in range(0, num_frames, at_once)
            ]
            videos.append(tf.concat(parts, axis=1))
        return tf.concat(videos, axis=0)

    @tf.function(reduce_retracing=True)
    def _render(self, codes: Codes, times: tf.Tensor, bands: Bands | None) -> tf.Tensor:
        return (self.average(codes.content, codes.motion, times, codes.noise, bands) + 1.0) / 2.0


def _judge(network: Discriminator, x: tf.Tensor, distance: tf.Tensor | None) -> tf.Tensor:
    return network(x) if distance is None else network(x, distance)
