"""Names of the published motion GAN's networks (PyTorch)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from hvp.config import ExperimentConfig
from hvp.errors import UserError
from hvp.models.motion_gan.discriminators import Discriminator, PairDiscriminator
from hvp.models.motion_gan.generator import CodeMapping, Generator
from hvp.models.motion_gan.model import MotionGAN
from hvp.models.motion_gan.widths import frame_widths, video_widths
from hvp.named_weights import Target, assign_by_name
from hvp.weights.pytorch import MotionGANFile

Named = Iterator[tuple[str, Any, Callable[[np.ndarray], np.ndarray]]]

VIDEO_NETWORKS = ("VideoDiscriminator", "PatchVideoDiscriminator")
PATCH_NETWORKS = ("PatchImageDiscriminator", "PatchVideoDiscriminator")
# The original's command line and where its values are in our configuration. Only what decides the
# networks and their times: an imported model may be trained further as one likes.
ARGUMENTS = {
    "image_size": "data.height",
    "video_length": "model.video_length",
    "dim_z_content": "model.content_dim",
    "dim_z_motion": "model.motion_dim",
    "VD_resize_ratio": "model.video_discriminator_scale",
}
DISCRIMINATORS = {
    "ImageDiscriminator": "image",
    "PatchImageDiscriminator": "patch_image",
    "VideoDiscriminator": "video",
    "PatchVideoDiscriminator": "patch_video",
    "DeltaVideoDiscriminator": "pair",
}
OPTIMIZED = {"g": "generator", "img_d": "image_discriminator", "vid_d": "video_discriminator"}
VIDEO_LENGTH = 16  # which the last layer of VideoDiscriminator is made for


def build(config: Mapping[str, Any]) -> tuple[Any, dict[str, Target]]:
    """The network of the original's constructor arguments, and its variables by original name.

    For `motion_gan_generator` that is a `MotionGAN` (its averaged generator gets the same weights
    from `from_reference`), else the discriminator that `config["model"]` names.
    """
    widths = config.get("channels")  # JSON keeps resolutions as strings
    widths = None if widths is None else {int(k): count for k, count in widths.items()}
    if config["model"] == "motion_gan_generator":
        arguments = config["constructor"]
        size = arguments["size"]
        model = MotionGAN(
            height=size,
            width=size,
            channels=3,
            content_dim=arguments["dim_z_content"],
            motion_dim=arguments["dim_z_motion"],
            video_length=arguments["video_length"],
            content_layers=arguments["n_mlp_c"],
            motion_layers=arguments["n_mlp_m"],
            frequencies=[float(frequency) for frequency in arguments["freqs"]],
            widths=widths,
        )
        return model, generator_targets(model.generator)
    network = make_discriminator(config["model"], config["size"], widths)
    return network, discriminator_targets(network)


def finish(model: Any) -> None:
    """What is left to do after the variables are assigned: the average starts at the weights."""
    if isinstance(model, MotionGAN):
        model.restart_average()


def is_unused(family: str, name: str) -> bool:
    """Whether the original stores what we compute: the FIR kernels."""
    return name.endswith((".blur.kernel", ".upsample.kernel", ".0.kernel"))


def original_settings(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """Our `section.key: value` of what the original's command line says of the networks."""
    settings = {
        ours: arguments[theirs] for theirs, ours in ARGUMENTS.items() if theirs in arguments
    }
    if "data.height" in settings:
        settings["data.width"] = settings["data.height"]
    for kind in ("image_discriminator", "video_discriminator"):
        if arguments.get(kind) in DISCRIMINATORS:
            settings[f"model.{kind}"] = DISCRIMINATORS[arguments[kind]]
    if "freq_val" in arguments:
        frequencies = str(arguments["freq_val"]).split(",")
        settings["model.frequencies"] = [float(frequency) for frequency in frequencies]
    return settings


def make_discriminator(name: str, size: int, widths: Mapping[int, int] | None = None):
    """The discriminator of the original class `name`, of the published widths by default."""
    video = name in VIDEO_NETWORKS
    if widths is None:
        widths = video_widths(1.0) if video else frame_widths(1.0)
    if name == "DeltaVideoDiscriminator":
        network = PairDiscriminator(size, widths)
    else:
        frames = VIDEO_LENGTH if video else None
        network = Discriminator(size, widths, frames, patch=name in PATCH_NETWORKS)
    network.build()
    return network


def generator_targets(generator: Generator) -> dict[str, Target]:
    """The generator's variables by their names in the original's state dict."""
    return _targets(_generator(generator))


def discriminator_targets(network: Discriminator) -> dict[str, Target]:
    """A discriminator's variables by their names in the original's state dict."""
    return _targets(_discriminator(network))


def _targets(named: Named) -> dict[str, Target]:
    return {name: Target(variable, convert) for name, variable, convert in named}


def _same(array: np.ndarray) -> np.ndarray:
    return array


def _linear(array: np.ndarray) -> np.ndarray:
    return array.transpose()  # (out, in) -> (in, out)


def _convolution(array: np.ndarray) -> np.ndarray:
    """`(out, in, ...)` to `(..., in, out)`, for two and three axes."""
    return np.moveaxis(array, (0, 1), (-1, -2))


def _modulated(array: np.ndarray) -> np.ndarray:
    return _convolution(array[0])  # a leading 1


def _frame(array: np.ndarray) -> np.ndarray:
    return np.moveaxis(array, 1, -1)  # (1, c, h, w) -> (1, h, w, c)


def _flat(array: np.ndarray) -> np.ndarray:
    return array.reshape(-1)


def _scalar(array: np.ndarray) -> np.ndarray:
    return array.reshape(())


def _generator(generator: Generator) -> Named:
    yield from _mapping("motion_style", generator.motion_mapping)
    yield from _mapping("renderer.style", generator.content_mapping)
    for i, branch in enumerate(generator.branches):
        yield f"LFF.{i}.ffm.linear.weight", branch.features.frequencies, _flat
        yield f"LFF.{i}.ffm.linear.bias", branch.features.phases, _same
        yield from _modulation(f"motion_linear.{i}.0.conv", branch.modulated)
        yield f"motion_linear.{i}.0.activate.bias", branch.bias, _same
        yield from _dense(f"motion_linear.{i}.1", branch.project)
    renderer = generator.renderer
    yield "renderer.input.input", renderer.constant, _frame
    yield from _styled("renderer.conv1", renderer.first)
    yield from _to_frame("renderer.to_rgb1", renderer.first_frame)
    for i, (up, same, frame) in enumerate(renderer.stages):
        yield from _styled(f"renderer.convs.{2 * i}", up)
        yield from _styled(f"renderer.convs.{2 * i + 1}", same)
        yield from _to_frame(f"renderer.to_rgbs.{i}", frame)
    for i, noise in enumerate(renderer.noises):
        yield f"renderer.noises.noise_{i}", noise, _frame


def _mapping(prefix: str, mapping: CodeMapping) -> Named:
    for i, layer in enumerate(mapping.layers):
        yield from _dense(f"{prefix}.{i + 1}", layer)  # 0 is the pixel norm


def _dense(prefix: str, layer: Any) -> Named:
    yield f"{prefix}.weight", layer.kernel, _linear
    yield f"{prefix}.bias", layer.bias, _same


def _modulation(prefix: str, layer: Any) -> Named:
    yield f"{prefix}.weight", layer.kernel, _modulated
    yield from _dense(f"{prefix}.modulation", layer.modulation)


def _styled(prefix: str, layer: Any) -> Named:
    yield from _modulation(f"{prefix}.conv", layer.convolution)
    yield f"{prefix}.noise.weight", layer.strength, _scalar
    yield f"{prefix}.activate.bias", layer.bias, _same


def _to_frame(prefix: str, layer: Any) -> Named:
    yield from _modulation(f"{prefix}.conv", layer.convolution)
    yield f"{prefix}.bias", layer.bias, _flat


def _discriminator(network: Discriminator) -> Named:
    yield "convs.0.0.weight", network.first.kernel, _convolution
    yield "convs.0.1.bias", network.first.bias, _same
    for i, block in enumerate(network.blocks, start=1):
        yield f"convs.{i}.conv1.0.weight", block.first.kernel, _convolution
        yield f"convs.{i}.conv1.1.bias", block.first.bias, _same
        yield f"convs.{i}.conv2.1.weight", block.second.kernel, _convolution
        yield f"convs.{i}.conv2.2.bias", block.second.bias, _same
        yield f"convs.{i}.skip.1.weight", block.shortcut.kernel, _convolution
    yield "final_conv.0.weight", network.last.kernel, _convolution
    yield "final_conv.1.bias", network.last.bias, _same
    if network.patch:
        return
    yield "final_linear.0.weight", network.hidden.kernel, _flattened(network)
    yield "final_linear.0.bias", network.hidden.bias, _same
    yield from _dense("final_linear.1", network.head)
    if isinstance(network, PairDiscriminator):
        yield "temporalPE.ffm.linear.weight", network.distance.frequencies, _flat
        yield "temporalPE.ffm.linear.bias", network.distance.phases, _same
        yield from _dense("delta_linear", network.embedding)


def _flattened(network: Discriminator) -> Callable[[np.ndarray], np.ndarray]:
    """The dense layer after flattening: the original flattens channels first."""
    channels = network.widths[-1]

    def convert(array: np.ndarray) -> np.ndarray:
        places = array.reshape(len(array), channels, -1)  # (out, channels, places)
        return places.transpose(2, 1, 0).reshape(-1, len(array))

    return convert


def check_motion_gan(original: Mapping[str, Any], config: ExperimentConfig, path: Path) -> None:
    """Raises a `UserError` where the original's `args` ask for another model than `config`."""
    values = config.to_dict()
    differing = [
        f"{key}={value}"
        for key, value in original_settings(original).items()
        if values[key.partition(".")[0]][key.partition(".")[2]] != value
    ]
    if differing:
        raise UserError(
            f"{path}: was trained with other settings than {config.source} has; add "
            f"{' '.join(f'--set {setting}' for setting in differing)}"
        )


def _network_targets(model: Any) -> dict[str, dict[str, Target]]:
    """The variables of all networks by their names in the original's checkpoint."""
    return {
        "g": generator_targets(model.generator),
        "g_ema": generator_targets(model.average),
        "img_d": discriminator_targets(model.image_discriminator),
        "vid_d": discriminator_targets(model.video_discriminator),
    }


def assign_motion_gan(
    model: Any, networks: Mapping[str, Mapping[str, np.ndarray]], path: Path
) -> None:
    """Loads the networks of a checkpoint; raises a `UserError` naming all that does not fit."""
    targets = _network_targets(model)
    variables: dict[str, Target] = {}
    arrays: dict[str, np.ndarray] = {}
    for network in networks:
        variables |= {f"{network}.{name}": target for name, target in targets[network].items()}
        arrays |= {
            f"{network}.{name}": array
            for name, array in networks[network].items()
            if not is_unused(network, name)
        }
    try:
        assign_by_name(variables, arrays)
    except UserError as error:
        raise UserError(f"{path}: {error}") from None


def assign_optimizers(model: Any, file: MotionGANFile, path: Path) -> None:
    """Loads the optimizers' moments and counts, so that training goes on where it stopped.

    Args:
        model: after `configure_training`.
        file: what `assign_motion_gan` took the networks of.
        path: for messages.
    """
    for network, states in file.optimizers.items():
        targets = _network_targets(model)[network]
        optimizer = model.optimizers[f"{OPTIMIZED[network]}_optimizer"]
        # PyTorch numbers parameters in the order of the state dict, which holds buffers as well.
        names = [
            name
            for name in file.networks[network]
            if not is_unused(network, name) and targets[name].variable.trainable
        ]
        variables: dict[str, Target] = {}
        arrays: dict[str, Any] = {}
        for place, state in states.items():
            if place >= len(names):
                raise UserError(
                    f"{path}: {network}_optim has a state of parameter {place}, but {network} has "
                    f"{len(names)} parameters"
                )
            variable, convert = targets[names[place]]
            slots = (optimizer.momentum_of(variable), optimizer.velocity_of(variable))
            for slot, array in zip(slots, state, strict=False):
                name = f"{names[place]} ({slot.name})"
                variables[name], arrays[name] = Target(slot, convert), array
        try:
            assign_by_name(variables, arrays)
        except UserError as error:
            raise UserError(f"{path}: {network}_optim: {error}") from None
        optimizer.iterations.assign(max((state.updates for state in states.values()), default=0))
