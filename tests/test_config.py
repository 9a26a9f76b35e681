"""Configuration files: checked, explained, and equal to what was published."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import yaml

from hvp.config import (
    DataConfig,
    EvaluationConfig,
    ExperimentConfig,
    Override,
    TrainingConfig,
    load_config,
    memory,
    parsing,
)
from hvp.config.schema import descriptions
from hvp.errors import UserError
from hvp.families import FAMILIES, model_config_class
from hvp.models.hierarchical.config import HierarchicalConfig

SECTIONS = {
    "data": DataConfig,
    "model": HierarchicalConfig,
    "training": TrainingConfig,
    "evaluation": EvaluationConfig,
}
CONFIGS = Path(__file__).resolve().parents[1] / "configs"


def written(folder, text, name="mine.yml"):
    path = folder / name
    path.write_text(text)
    return path


def test_base_lists_every_default():
    config = load_config(CONFIGS / "base.yml")
    defaults = ExperimentConfig(
        "base", DataConfig(), HierarchicalConfig(), TrainingConfig(), EvaluationConfig()
    )
    assert config == defaults
    content = yaml.safe_load((CONFIGS / "base.yml").read_text())
    for section in ("data", "model", "training", "evaluation"):
        fields = {field.name for field in dataclasses.fields(getattr(defaults, section))}
        assert set(content[section]) == fields


def test_base_says_what_the_fields_say():
    """One source: the line under each field. `base.yml` carries a copy for those who read it."""
    section, found = ExperimentConfig, {}
    for line in (CONFIGS / "base.yml").read_text().splitlines()[1:]:
        if top := re.fullmatch(r"(\w+):", line):
            section = SECTIONS[top[1]]
        elif setting := re.fullmatch(r"\s*(\w+): .*?# (.*)", line):
            found[section, setting[1]] = setting[2].casefold()
    expected = {
        (section, key): text.rstrip(".").casefold()
        for section in (ExperimentConfig, *SECTIONS.values())
        for key, text in descriptions(section).items()
        if section is not ExperimentConfig or key == "seed"
    }
    assert found == expected


@pytest.mark.parametrize("family", FAMILIES)
def test_every_setting_is_described(family):
    missing = [key for key, text in descriptions(model_config_class(family)).items() if not text]
    assert not missing


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yml")), ids=lambda path: path.stem)
def test_every_file_loads_under_its_own_name(path):
    assert load_config(path).name == path.stem


PUBLISHED = {
    # dec_stddev, channels, epochs, eval seq_len, learning rate
    "mmnist": (1.0, 1, 60, 500, 1e-4),
    "kth": (1.0, 3, 300, 200, 1e-4),
    "mazes": (0.1, 3, 50, 300, 1e-4),
    "cwvae_mmnist": (1.0, 1, 300, 500, 3e-4),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_settings(name):
    config = load_config(CONFIGS / f"{name}.yml")
    model, training, evaluation = config.model, config.training, config.evaluation
    assert PUBLISHED[name] == (
        model.dec_stddev,
        config.data.channels,
        training.epochs,
        evaluation.seq_len,
        training.learning_rate,
    )
    assert (model.levels, model.tmp_abs_factor, model.enc_dense_layers) == (3, 6, 3)
    assert (model.cell_stoch_size, model.cell_deter_size, model.cell_embed_size) == (20, 200, 200)
    assert (model.enc_dense_embed_size, model.cell_min_stddev) == (1000, 1e-4)
    assert (training.batch_size, training.clip_norm, training.adam_epsilon) == (50, 10000, 1e-4)
    assert (config.data.seq_len, evaluation.context) == (100, 36)
    switches = [value for key, value in vars(model).items() if key.startswith("residual_")]
    assert len(switches) == 5
    assert all(value == (name != "cwvae_mmnist") for value in switches)


def test_what_is_saved_loads_equal(tmp_path):
    config = load_config(CONFIGS / "demo.yml", ["model.beta=[1.0, 0.5]", "seed=3"])
    config.save(tmp_path / "config.yml")
    assert load_config(tmp_path / "config.yml") == config
    assert load_config(tmp_path / "config.yml").name == "demo"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("data: {seq_length: 5}", "unknown key 'data.seq_length'; did you mean 'data.seq_len'?"),
        ("trainig: {steps: 5}", "unknown key 'trainig'; did you mean 'training'?"),
        ("model: {stoch: 5}", "unknown key 'model.stoch'"),
        ("model: {family: hierarchic}", "did you mean 'hierarchical'?"),
        ("training: {steps: many}", "'training.steps' must be an integer or null, found 'many'"),
        ("training: {xla: 1}", "'training.xla' must be true or false, found 1"),
        ("data: {channels: 2}", "'data.channels' must be one of 1, 3, found 2"),
        ("training: {batch_size: true}", "'training.batch_size' must be an integer, found True"),
        ("evaluation: {metrics: [1]}", "'evaluation.metrics' must be a list of a string"),
        ("training: 5", "'training' must hold keys, found 5"),
        ("model: {levels: 2, beta: [1.0]}", "model: beta has 1 entries for 2 levels"),
        ("training: {batch_size: 0}", "training: batch_size must be at least 1, found 0"),
        ("training: {keep_checkpoints: 0}", "keep_checkpoints must be at least 1, found 0"),
        ("training: {checkpoint_every: 0}", "checkpoint_every must be at least 1, found 0"),
        ("training: {gifs_every: -1}", "gifs_every must be at least 0, found -1"),
        ("training: {steps: -3}", "steps must be at least 1, found -3"),
        ("training: {learning_rate: -1}", "learning_rate must be a number from 0, found -1"),
        ("training: {learning_rate: .nan}", "learning_rate must be a number from 0, found nan"),
        ("training: {clip_norm: 0}", "clip_norm must be above 0, found 0"),
        ("data: {num_digits: 0}", "data: num_digits must be at least 1, found 0"),
        ("data: {max_video_len: 0}", "data: max_video_len must be at least 1, found 0"),
        ("name: a/b", "plain name"),
        ("- 1", "expected sections"),
        ("data: {seq_len: 5", "line 2: not valid YAML"),
        ("base: nothing.yml", "nothing.yml: no such configuration file"),
        ("base: mine.yml", "leads back to itself"),
        ("base: [mine.yml]", "'base' must be the name of a file, found ['mine.yml']"),
        (r'base: "a\0b"', "'base' must be the name of a file"),
        (f"base: {'x' * 5000}.yml", "cannot be read as a configuration file: File name too"),
        ("model: {family: [sdfnet]}", "model.family is ['sdfnet']; did you mean 'sdfnet'?"),
        ("model: {family: {a: 1}}", "model.family is {'a': 1}"),
        (f"seed: {'9' * 5000}", "not valid YAML: it has a value that is none"),
        (f"seed: 0x{'f' * 5000}", "seed must be at most 4294967295, found a number of about"),
        ("seed: -1", "seed must be at least 0, found -1"),
        ("data: {seq_len: 2024-13-45}", "not valid YAML"),
        ("data: " + "[" * 3000, "nested too deeply"),
        ("data: &a {seq_len: *a}", "'data.seq_len' must be an integer, found {'seq_len': {"),
        ("training: {learning_rate: .inf}", "must be a finite number from 0, found inf"),
        ("training: {clip_norm: .inf}", "clip_norm must be a finite number above 0, found inf"),
        ("model: {beta: [1.0, .nan, 1.0]}", "beta must be finite numbers, found [1.0, nan, 1.0]"),
        ("model: {channels_mult: .inf}", "channels_mult must be a finite number above 0, at most"),
        ("model: {family: sdfnet, losses: {mse: .nan}}", "a number from 0, found nan at mse"),
        ("model: {family: motion_gan, width_factor: .inf}", "width_factor must be a finite"),
        ("1: 2", "unknown key 1; valid: data"),
        ("data: {null: 2}", "unknown key 'data.None'"),
        ("data: {[a]: 2}", "not valid YAML"),
        ("data: {channels: true}", "'data.channels' must be one of 1, 3, found True"),
        ("data: {channels: 1.0}", "'data.channels' must be one of 1, 3, found 1.0"),
        (r'data: {datadir: "a\0b"}', "data: datadir must be the name of a file"),
        (
            f"model: {{{', '.join(f'a{i}: 1' for i in range(10001))}}}",
            "more than 10000 keys in one place",
        ),
        ("model: {levels: 12}", "the slowest level would tick every 3.6e+08 frames"),
        ("model: {levels: 1000}", "model: levels must be 1 to 16, found 1000"),
        ("model: {cell_deter_size: 1000000}", "must be at most 16384, found 1000000"),
        ("training: {batch_size: 1000000000000}", "a batch would need 1.42 EiB of memory"),
        ("data: {height: 1000000}", "1.16 TiB of memory: training.batch_size 50 x data.seq_len"),
        ("evaluation: {batch_size: 1000000000}", "evaluation.batch_size 1000000000 x evaluation."),
        (f"training: {{batch_size: 1{'0' * 30}}}", "batch_size must be at most 1000000000000000"),
        ("name: ..", "name is '..'; use a name that does not begin with a dot"),
        ("name: ''", "name is ''"),
        (r'name: "a\0"', "use a name of plain characters"),
        (r'name: "a\ud800"', "use a name of plain characters"),
        (f"name: {'ä' * 41}", "use a name of at most 80 bytes"),
    ],
)
def test_mistakes_are_one_line_that_names_file_and_key(tmp_path, text, expected):
    path = written(tmp_path, text + "\n")
    with pytest.raises(UserError) as caught:
        load_config(path)
    message = str(caught.value)
    assert expected in message
    assert message.startswith(str(tmp_path))
    assert "\n" not in message


def test_merged_keys_do_not_multiply(tmp_path):
    """Ten to the twelve of them before PyYAML 6.0.4, which counts equal ones once."""
    text = "a0: &a0 {x: 1}\n"
    for i in range(12):
        text += f"a{i + 1}: &a{i + 1} {{<<: [{', '.join([f'*a{i}'] * 10)}]}}\n"
    with pytest.raises(UserError, match=r"more than 10000 keys in one place|unknown key 'a0'"):
        load_config(written(tmp_path, text))


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("training.step=5", "did you mean 'training.steps'?"),
        ("training.steps", "expected section.key=value"),
        ("training.steps.more=1", "expected section.key=value"),
        ("training.steps=[", "not valid YAML"),
        ("training.steps=soon", "'training.steps' must be an integer or null"),
        ("base=kth.yml", "only files have a base"),
        ("model.levels=1000", "levels must be 1 to 16, found 1000"),
    ],
)
def test_mistakes_in_overrides(override, expected):
    with pytest.raises(
        UserError, match=f"--set {override.replace('[', chr(92) + '[')}: "
    ) as caught:
        load_config(CONFIGS / "demo.yml", [override])
    assert expected in str(caught.value)


@pytest.mark.parametrize(
    "path",
    [
        'a "b" [c] \\d',
        "'",
        "*anchor",
        "key: value",
        "#",
        "{x}",
        "~",
        "null",
        "1e3",
        "é😀\udcff",
        " ",
    ],
)
def test_overrides_that_are_no_yaml(path, tmp_path):
    """A flag's value arrives as it was typed, and in the configuration that is written of it."""
    override = Override("data.datadir", path, f"--datadir {path}")
    config = load_config(CONFIGS / "demo.yml", ["data.datadir=/elsewhere", override])
    assert config.data.datadir == path
    config.save(tmp_path / "config.yml")
    assert load_config(tmp_path / "config.yml").data.datadir == path


def test_a_flag_is_named_in_errors():
    override = Override("evaluation.num_samples", "x", "--num-samples x")
    with pytest.raises(UserError, match=r"^--num-samples x: 'evaluation.num_samples' must be an i"):
        load_config(CONFIGS / "demo.yml", [override])


def test_an_error_names_the_file_that_holds_the_key(tmp_path):
    written(tmp_path, "training: {steps: many}\n", "below.yml")
    path = written(tmp_path, "base: below.yml\ndata: {seq_len: 5}\n")
    with pytest.raises(UserError, match=r"^\S*below\.yml: 'training\.steps' must be an integer"):
        load_config(path)
    assert load_config(path, ["training.steps=5"]).training.steps == 5


def test_what_trains_on_a_large_machine_loads_on_a_small_one(tmp_path, monkeypatch):
    monkeypatch.setattr(memory, "_machine_memory", lambda: 2**32)
    path = written(tmp_path, "data: {height: 256, width: 256, channels: 3}\n")
    assert load_config(path, ["training.batch_size=2048"]).training.batch_size == 2048  # 150 GiB
    with pytest.raises(UserError, match="the limit is 256 GiB"):
        load_config(path, ["training.batch_size=8192"])


@pytest.mark.parametrize(
    ("make", "expected"),
    [
        (lambda: DataConfig(height=0), "height must be at least 1, found 0"),
        (lambda: DataConfig(hight=1), "hight is no setting; did you mean 'height'?"),
        (lambda: TrainingConfig(steps="x"), "steps must be an integer or null, found 'x'"),
        (lambda: ExperimentConfig("a"), "data is missing"),
    ],
)
def test_sections_made_in_python_are_checked_too(make, expected):
    with pytest.raises(ValueError, match="^" + re.escape(expected) + "$"):
        make()


def test_sections_are_dataclasses_that_do_not_change():
    section = DataConfig(datadir="a\udcff")  # any file's name
    assert dataclasses.replace(section, height=8) == DataConfig(datadir="a\udcff", height=8)
    assert dataclasses.asdict(TrainingConfig(milestones=(0.5, 0.7)))["milestones"] == [0.5, 0.7]
    with pytest.raises(dataclasses.FrozenInstanceError):
        section.height = 5


@dataclasses.dataclass(frozen=True)
class PlainConfig:
    """The section of a family that another package brings."""

    family: str = "plain"
    width: int = 4

    def __post_init__(self) -> None:
        if self.width == 13:
            raise ValueError("width brings bad luck")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("[1]", "'model.width' must be an integer, found [1]"),
        ("true", "'model.width' must be an integer, found True"),
        ("13", "model: width brings bad luck"),
    ],
)
def test_a_plain_dataclass_of_another_package_is_checked(tmp_path, monkeypatch, value, expected):
    monkeypatch.setattr(
        parsing, "model_config_class", lambda family: PlainConfig if family == "sdfnet" else None
    )
    path = written(tmp_path, "model: {family: sdfnet}\n")
    assert load_config(path, ["model.width=5"]).model == PlainConfig("sdfnet", 5)
    with pytest.raises(UserError, match=re.escape(expected)):
        load_config(path, [f"model.width={value}"])


def test_overrides_count_together_and_later_ones_win():
    overrides = ["model.levels=2", "model.beta=[1.0, 0.5]", "seed=1", "seed=2", "name=other"]
    config = load_config(CONFIGS / "demo.yml", overrides)
    assert (config.model.levels, config.model.beta, config.seed) == (2, [1.0, 0.5], 2)
    assert config.name == "other"


def test_numbers_as_people_write_them(tmp_path):
    path = written(tmp_path, "training: {learning_rate: 1e-3, clip_norm: 5}\n")
    assert load_config(path).training.learning_rate == 1e-3  # a string in YAML 1.1
    assert load_config(path).training.clip_norm == 5


def test_a_missing_file_suggests_its_neighbour():
    with pytest.raises(UserError, match=r"did you mean '.*demo\.yml'"):
        load_config(CONFIGS / "dmeo.yml")
