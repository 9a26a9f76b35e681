"""The JSON schema that editors read accepts what `load_config` accepts, but for what it cannot."""

from __future__ import annotations

import json
from pathlib import Path

import jsonschema
import pytest
import yaml

from hvp.__main__ import main
from hvp.families import FAMILIES

CONFIGS = Path(__file__).resolve().parents[2] / "configs"


@pytest.fixture(scope="module")
def validator():
    from hvp.config.schema import json_schema

    schema = json_schema()
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def printed(capsys, *arguments):
    assert main(["config-schema", *arguments]) == 0
    return json.loads(capsys.readouterr().out)


@pytest.mark.parametrize("path", sorted(CONFIGS.glob("*.yml")), ids=lambda path: path.stem)
def test_our_files_fit_it(validator, path):
    validator.validate(yaml.safe_load(path.read_text()))


@pytest.mark.parametrize(
    "text",
    [
        "dat: {}",
        "data: {hight: 5}",
        "data: {height: 0}",
        "data: {channels: 2}",
        "data: {crop: middle}",
        "data: {datadir: 5}",
        "training: {learning_rate: -1}",
        "training: {learning_rate: fast}",
        "training: {clip_norm: 0}",
        "training: {xla: 1}",
        "training: {milestones: [0.5, 1.5]}",
        "evaluation: {num_samples: 0}",
        "model: {family: sdfnet, levels: 3}",
        "model: {levels: 1000}",
        "model: {family: fusion, regions: 1}",
        "model: {family: fusion, upscale_factor: 5}",
        "seed: -1",
        "name: 5",
        "base: [kth]",
    ],
)
def test_mistakes_do_not(validator, text):
    with pytest.raises(jsonschema.ValidationError):
        validator.validate(yaml.safe_load(text))


@pytest.mark.parametrize("family", FAMILIES)
def test_one_familys_schema_describes_every_key(capsys, family):
    schema = printed(capsys, "--family", family)
    reference = schema["properties"]["model"]["anyOf"][0]["$ref"].rpartition("/")[2]
    model = schema["$defs"][reference]
    assert model["properties"]["family"]["const"] == family
    sections = [model, *(schema["$defs"][name] for name in ("DataConfig", "TrainingConfig"))]
    for section in [*sections, schema["$defs"]["EvaluationConfig"]]:
        assert section["additionalProperties"] is False
        assert [
            key for key, entry in section["properties"].items() if not entry["description"]
        ] == []
    assert {"base", "name", "seed", "data"} < set(schema["properties"])


def test_without_a_family_it_is_any_familys(capsys):
    schema = printed(capsys)
    assert sum("family" in part["properties"] for part in schema["$defs"].values()) == len(FAMILIES)


def test_unknown_family(capsys):
    assert main(["config-schema", "--family", "sdfnte"]) == 2
    assert "--family is 'sdfnte'; did you mean 'sdfnet'?" in capsys.readouterr().err
