"""The sections `data`, `training` and `evaluation`; families have their `model` sections."""

from __future__ import annotations

from dataclasses import field
from typing import Annotated, Any, Literal

from pydantic import Field

from hvp.config.fields import (
    INTEGER,
    NUMBER,
    Context,
    Count,
    Decay,
    Interval,
    Items,
    Length,
    Location,
    NonNegative,
    Positive,
    Share,
    section,
)

Videos = Annotated[int, Field(ge=1, le=10**8)]


@section(frozen=True)
class DataConfig:
    """What the model sees."""

    dataset: str = "moving_mnist"
    """A name in hvp/data/sources, or prepared; the README lists them."""
    datadir: Location | None = None
    """Where the data are; null: generated, where a data set can be."""
    height: Count = 64
    """Pixels; frames are resized to height x width."""
    width: Count = 64
    """Pixels."""
    channels: Annotated[Literal[1, 3], INTEGER] = 1
    """1: grey, 3: RGB."""
    seq_len: Length = 100
    """Frames per training window, cut without overlap; auto: as the videos allow."""
    random_start: bool = False
    """Training windows start anywhere in their videos, anew each epoch."""
    division: str | None = None
    """Another way to divide it: kth has openstl, ucf101 train_and_test."""
    validation_share: Decay = 0.0
    """Of the training videos, held out for validation where there is no val; 0: test is taken."""
    clips_per_video: Literal["all", "one"] = "all"
    """Training windows of each video and epoch: all, or one, drawn anew."""
    frame_step: Count = 1
    """Every n-th frame of a video; windows have seq_len of these."""
    crop: Literal["none", "center"] = "none"
    """To the proportions of height x width: none squeezes, center cuts."""
    sixteen_bit: Literal["error", "scale"] = "error"
    """16-bit grey pictures and arrays: error, or scale 0 to 65535 to 0 to 255."""
    masks: bool = False
    """Masks beside the frames, where a data set has them: davis."""
    max_video_len: Count | None = None
    """Frames of each video that are trained on, from its start; null: all."""
    unusable_videos: Literal["error", "skip", "salvage"] = "error"
    """Broken or too short ones: error, skip, or salvage what decodes; with a report."""
    cache_dir: Location | None = None
    """Decoded frames; null: HVP_CACHE_DIR or the user's cache folder."""
    num_digits: Annotated[int, Field(ge=1, le=1000)] = 2
    """Generated Moving MNIST: digits per sequence."""
    canvas: Annotated[int, Field(ge=29, le=1000)] = 64
    """Generated Moving MNIST: pixels of the square that digits of 28 pixels move on."""
    images_per_digit: Annotated[int, Field(ge=1, le=100)] | None = None
    """Embedded digits: images of each, the same in testing; null: all, others in testing."""
    forks: Annotated[int, Field(ge=1, le=6)] = 1
    """Forking shapes: forks of a path, one every 10 frames."""
    likely_branch: Share = 0.6
    """Forking shapes: probability of the likeliest of a fork's three branches."""
    rare_branch: Share = 0.1
    """Forking shapes: probability of the rarest; the third has the rest."""
    train_videos: Videos = 10000
    """Generated: fresh sequences per epoch."""
    test_videos: Videos = 1000
    """Generated: test sequences, always the same."""

    def __post_init__(self) -> None:
        if self.likely_branch + self.rare_branch > 1:
            raise ValueError(
                f"likely_branch + rare_branch must be at most 1, found {self.likely_branch} and "
                f"{self.rare_branch}"
            )


@section(frozen=True)
class TrainingConfig:
    """How to train."""

    batch_size: Count = 50
    """Examples of an update, over all replicas and workers."""
    epochs: Count = 60
    """Passes over the training windows."""
    steps: Count | None = None
    """Total updates; overrides epochs."""
    learning_rate: NonNegative = 1e-4
    """Adam's; the highest of the schedule."""
    schedule: Literal["constant", "cosine", "onecycle", "milestones"] = "constant"
    """constant, cosine (to 0), onecycle (PyTorch's), milestones."""
    cycle_momentum: bool = False
    """Onecycle: Adam's beta_1 goes 0.95, 0.85, 0.95, as in PyTorch."""
    milestones: Items[Annotated[float, Field(gt=0, lt=1), NUMBER]] = field(
        default_factory=lambda: [0.3, 0.8]
    )
    """Shares of the run; at each the rate is multiplied by the factor."""
    milestone_factor: Positive = 0.1
    """Of the learning rate at each milestone."""
    warmup_steps: Interval = 0
    """Linear rise of all but onecycle."""
    adam_epsilon: Positive = 1e-4
    """Adam's epsilon."""
    clip_norm: Positive | None = 10000.0
    """Global gradient norm; null: no clipping."""
    strategy: Literal["auto", "cpu", "gpu", "mirrored", "multiworker"] = "auto"
    """auto, cpu, gpu, mirrored, multiworker."""
    sync_batch_norm: bool = False
    """Batch normalisation over all replicas: N then train as one would."""
    worker_timeout: Positive = 300.0
    """Seconds that a worker waits for the others to come."""
    precision: Literal["float32", "mixed_bfloat16"] = "float32"
    """float32 or mixed_bfloat16."""
    tf32: bool = True
    """NVIDIA GPUs: float32 products of 10-bit mantissas, as TensorFlow does."""
    xla: bool = False
    """Compile the step."""
    steps_per_call: Count = 1
    """Updates in one call of the graph: the same numbers, less of the host's time."""
    log_every: Count = 100
    """Steps between TensorBoard scalars."""
    gifs_every: Interval = 1000
    """Steps between TensorBoard videos; 0: none."""
    gif_samples: Annotated[int, Field(ge=1, le=1000)] = 3
    """Predictions per video in them."""
    validate_every: Interval = 1000
    """Steps; 0: never."""
    validation_batches: Interval = 5
    """Batches of each validation."""
    checkpoint_every: Count = 1000
    """Steps."""
    keep_checkpoints: Count = 3
    """Newest checkpoints that are kept."""
    best_metric: str = "loss"
    """Of validation: the lowest is model/best, where no FVD is measured."""
    early_stopping: dict[str, Any] | None = None
    """Stops where patience validations did not lower metric: {metric: loss, patience: 5}."""
    callbacks: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Keras', with their arguments: CSVLogger, ReduceLROnPlateau, wandb, mlflow."""
    fvd_every: Interval = 0
    """Generators: steps between FVDs against the training data; 0: none."""
    generators_every: Interval = 0
    """Generators: steps between copies of the average alone; 0: none."""
    fvd_protocol: str = "fvd2048_16f"
    """Or fvd2048_128f, fvd2048_128f_subsample8f, or another of this form."""

    def __post_init__(self) -> None:
        _check_callbacks(self.callbacks)
        if self.early_stopping is not None:
            _check_early_stopping(self.early_stopping)
        if self.cycle_momentum and self.schedule != "onecycle":
            raise ValueError(f"cycle_momentum needs schedule onecycle, found {self.schedule}")
        if self.milestones != sorted(self.milestones):
            raise ValueError(
                f"milestones must be shares of the run in rising order, found {self.milestones}"
            )


CALLBACKS = ("CSVLogger", "ReduceLROnPlateau", "wandb", "mlflow")


def _check_callbacks(callbacks: dict[str, dict[str, Any]]) -> None:
    for name in callbacks:
        if name not in CALLBACKS:
            known = ", ".join(CALLBACKS)
            raise ValueError(
                f"callbacks has {name!r}; of Keras' there are {known} (others by "
                "hvp.train(callbacks=[...]))"
            )


def _check_early_stopping(settings: dict[str, Any]) -> None:
    metric, patience = settings.get("metric"), settings.get("patience")
    whole = isinstance(patience, int) and not isinstance(patience, bool) and patience >= 1
    if set(settings) != {"metric", "patience"} or not isinstance(metric, str) or not whole:
        raise ValueError(
            f"early_stopping must be null or {{metric: loss, patience: 5}}, found {settings}"
        )


@section(frozen=True)
class EvaluationConfig:
    """Open-loop evaluation: `context` frames go in, `seq_len - context` are predicted."""

    context: Context = 36
    """Frames shown to the model; auto: half a training window."""
    seq_len: Length = 300
    """Context and predicted frames together; auto: as the test videos allow."""
    num_examples: Count = 250
    """Contexts at most."""
    windows: Literal["spread", "one_per_video", "all"] = "spread"
    """Contexts are spread over all videos, one_per_video, or all there are."""
    num_samples: Count = 1
    """Futures per context."""
    batch_size: Count = 10
    """Contexts that are predicted together."""
    protocol: str = "default"
    """default, svg, cwvae, legacy, simvp, simvp-legacy."""
    metrics: Items[str] = field(default_factory=lambda: ["mse", "mae", "psnr", "ssim", "lpips"])
    """Of mse, mae, psnr, ssim, lpips, digit, frequency_3d (3DFL), weighted_frequency (WFL)."""
    unusable_videos: Literal["error", "skip", "salvage"] = "error"
    """Broken or too short ones: error, skip, or salvage what decodes; with a report."""
    fvd_weights: Location | None = None
    """I3D's checkpoint: evaluation measures FVD; null: HVP_I3D_WEIGHTS."""
    fvd_features: str | None = None
    """Whose features FVD goes by: i3d, small, a .keras file, a SavedModel, module:function."""
    fvd_context: Literal["in", "out"] = "out"
    """Whether a prediction's FVD sees the context frames: in or out."""
