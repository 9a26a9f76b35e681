"""Names of the published hierarchical residual model and Clockwork VAE checkpoints.

Both were written by TensorFlow 1 style graphs, whose layers are numbered per kind in the order in
which they were made: the encoder, the cells from the slowest level to the fastest, the decoder.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from hvp.config import ExperimentConfig, Override, parse_config
from hvp.errors import UserError
from hvp.models.hierarchical.config import HierarchicalConfig
from hvp.models.hierarchical.model import HierarchicalModel

RESIDUAL_SWITCHES = tuple(
    field.name
    for field in dataclasses.fields(HierarchicalConfig)
    if field.name.startswith("residual_")
)
OPTIMIZER_SCOPE = "optimizer/Adam"


def build(config: Mapping[str, Any]) -> tuple[HierarchicalModel, dict[str, Any]]:
    """The model of an original `config.yml`, and its variables by their original names."""
    model = HierarchicalModel(
        height=64,
        width=64,
        channels=int(config.get("channels", 1)),
        **reference_settings(config),
    )
    return model, dict(original_names(model))


def reference_settings(config: Mapping[str, Any]) -> dict[str, Any]:
    """The `HierarchicalConfig` keys of an original configuration."""
    known = {field.name for field in dataclasses.fields(HierarchicalConfig)} - {"family"}
    settings = {key: value for key, value in config.items() if key in known}
    residual = config["model"] == "hierarchical_residual"
    settings["kl_grad_post_detached"] = True
    return {**settings, **dict.fromkeys(RESIDUAL_SWITCHES, residual)}


def original_names(model: HierarchicalModel) -> Iterator[tuple[str, Any]]:
    """Yields `(original name, variable)` in the order in which the original made them."""
    numbered = _Numbering()
    yield from _encoder_names(model.encoder, numbered)
    for position, level in enumerate(reversed(range(model.levels))):
        scope = numbered.suffixed("scan", position)
        yield from _cell_names(
            model.cells[level],
            numbered,
            prior_scope=f"{scope}/while/cell_{level}",
            posterior_scope=f"{scope}/while/cell_{level}_1",
            gru=numbered.suffixed("gru_cell", level),
        )
    yield from _decoder_names(model.decoder, numbered)


class _Numbering:
    """Layer names as Keras numbered them: `dense`, `dense_1`, `dense_2`, ..."""

    def __init__(self) -> None:
        self.counts: Counter[str] = Counter()

    @staticmethod
    def suffixed(kind: str, number: int) -> str:
        return f"{kind}_{number}" if number else kind

    def next(self, kind: str) -> str:
        self.counts[kind] += 1
        return self.suffixed(kind, self.counts[kind] - 1)


def _layer(scope: str, layer: Any) -> Iterator[tuple[str, Any]]:
    for variable in layer.trainable_variables:
        yield f"{scope}/{variable.name}", variable


def _encoder_names(encoder: Any, numbered: _Numbering) -> Iterator[tuple[str, Any]]:
    scope = "encoder_convdense"
    for i, convolution in enumerate(encoder.convolutions):
        yield from _layer(f"{scope}/{numbered.next('conv2d')}", convolution)
        if i == 0 and encoder.residual_cell is not None:
            yield from _residual_names(
                encoder.residual_cell, numbered, f"{scope}/resdual_cell_encoder_0"
            )
    for stack in encoder.dense_stacks:
        for dense in stack:
            yield from _layer(f"{scope}/{numbered.next('dense')}", dense)


def _residual_names(cell: Any, numbered: _Numbering, scope: str) -> Iterator[tuple[str, Any]]:
    for convolution in cell.convolutions:
        block = numbered.next("nvae_conv2d")
        yield from _layer(f"{scope}/{block}/{numbered.next('conv2d')}", convolution)
    block = numbered.next("squeeze_excite_layer")
    for dense in (cell.squeeze, cell.excite):
        yield from _layer(f"{scope}/{block}/{numbered.next('dense')}", dense)


def _cell_names(
    cell: Any, numbered: _Numbering, prior_scope: str, posterior_scope: str, gru: str
) -> Iterator[tuple[str, Any]]:
    if cell.context_dense is not None:
        yield from _layer(f"{prior_scope}/{numbered.next('dense')}", cell.context_dense)
    yield from _layer(f"{prior_scope}/{numbered.next('dense')}", cell.prior_input)
    yield from _layer(f"{prior_scope}/{gru}", cell.gru)
    for dense in (cell.prior_hidden, cell.prior_mean, cell.prior_stddev):
        yield from _layer(f"{prior_scope}/{numbered.next('dense')}", dense)
    for dense in (
        cell.posterior_input,
        cell.posterior_hidden,
        cell.posterior_mean,
        cell.posterior_stddev,
    ):
        yield from _layer(f"{posterior_scope}/{numbered.next('dense')}", dense)


def _decoder_names(decoder: Any, numbered: _Numbering) -> Iterator[tuple[str, Any]]:
    scope = "decoder_conv"
    yield from _layer(f"{scope}/{numbered.next('dense')}", decoder.dense)
    for convolution in decoder.convolutions:
        yield from _layer(f"{scope}/{numbered.next('conv2d_transpose')}", convolution)
    if decoder.residual_cell is not None:
        yield from _residual_names(
            decoder.residual_cell, numbered, f"{scope}/resdual_cell_decoder_0"
        )
    yield from _layer(f"{scope}/{numbered.next('conv2d_transpose')}", decoder.output_convolution)


ORIGINAL_DATASETS = {"mmnist": "moving_mnist", "kth": "kth", "mazes": "mazes"}

# Keys of an original configuration and where they live in ours.
ORIGINAL_KEYS = {
    "data": {"channels": "channels", "seq_len": "seq_len"},
    "training": {
        "batch_size": "batch_size",
        "num_epochs": "epochs",
        "lr": "learning_rate",
        "clip_grad_norm_by": "clip_norm",
    },
    "evaluation": {"open_loop_ctx": "context", "eval_seq_len": "seq_len"},
}


def original_config(path: Path) -> dict[str, Any] | None:
    """The original's flat configuration in `path`, or `None` if the file is one of ours."""
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError):
        return None  # load_config says what is wrong with it
    is_flat = isinstance(content, dict) and "cell_stoch_size" in content
    return content if is_flat else None


def convert_config(
    original: Mapping[str, Any],
    path: Path,
    arrays: Mapping[str, np.ndarray],
    overrides: tuple[str | Override, ...],
) -> ExperimentConfig:
    """An original configuration in our sections."""
    dataset = str(original.get("dataset"))
    if dataset not in ORIGINAL_DATASETS:
        raise UserError(
            f"{path}: 'dataset' is {dataset!r}, known: {', '.join(ORIGINAL_DATASETS)}; pass one of "
            "our configurations with --config"
        )
    residual = any("resdual_cell" in name for name in arrays)
    model = "hierarchical_residual" if residual else "clockwork_vae"
    sections: dict[str, dict[str, Any]] = {
        section: {ours: original[theirs] for theirs, ours in keys.items() if theirs in original}
        for section, keys in ORIGINAL_KEYS.items()
    }
    sections["data"]["dataset"] = ORIGINAL_DATASETS[dataset]
    if Path(str(original.get("datadir"))).is_dir():
        sections["data"]["datadir"] = str(original["datadir"])
    known = {field.name for field in dataclasses.fields(HierarchicalConfig)}
    settings = reference_settings({**original, "model": model})
    sections["model"] = {"family": "hierarchical"}
    sections["model"].update({key: value for key, value in settings.items() if key in known})
    return parse_config({"name": dataset, **sections}, str(path), overrides)
