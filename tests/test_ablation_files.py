"""Ablations: what a file of variants means, and the shipped ones."""

from __future__ import annotations

import functools

import pytest

from hvp.config.ablation import load_ablation
from hvp.config_files import packaged_configs
from hvp.errors import UserError
from hvp.evaluation.comparison_run import check_comparable

SHIPPED = sorted(path.stem for path in (packaged_configs() / "ablations").glob("*.yml"))
MINE = """\
question: Does it help?
base: demo
settings: {training: {steps: 7}, data: {seq_len: 16}}
variants:
  with: {}
  without: {model: {residual_context: false}}
  other_seed: {seed: 5}
"""


@pytest.fixture
def mine(tmp_path):
    path = tmp_path / "mine.yml"
    path.write_text(MINE)
    return path


def test_variants_are_the_base_with_what_they_change(mine):
    ablation = load_ablation(mine, ["training.batch_size=3", "model.residual_context=true"])
    assert (ablation.name, ablation.question) == ("mine", "Does it help?")
    assert list(ablation.variants) == ["with", "without", "other_seed"]
    for name, config in ablation.variants.items():
        assert config.name == name
        assert (config.training.steps, config.training.batch_size) == (7, 3)
        assert config.data.height == 32  # the base's
    # What a variant changes outlives what is set for all.
    assert [c.model.residual_context for c in ablation.variants.values()] == [True, False, True]
    assert [config.seed for config in ablation.variants.values()] == [0, 0, 5]
    assert ablation.changes["without"] == {"model.residual_context": False}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("residual_context", "residual_contxt", r"mine\.yml: variants\.without: unknown key .*did"),
        ("{seed: 5}", "{evaluation: {context: 3}}", "variants.other_seed: changes 'evaluation'"),
        ("{seed: 5}", "[1]", "variants.other_seed: must hold sections"),
        ("base: demo", "base: dmo", "dmo: no such configuration file; did you mean 'demo'"),
        ("question", "questoin", "unknown key 'questoin'; did you mean 'question'"),
        ("other_seed", "a/b", "variants: a name is 'a/b'; use a plain name"),
        ("steps: 7", "stps: 7", r"mine\.yml: settings: unknown key 'training\.stps'"),
    ],
)
def test_mistakes_name_the_file_and_the_variant(mine, old, new, message):
    mine.write_text(MINE.replace(old, new))
    with pytest.raises(UserError, match=message):
        load_ablation(mine)


def test_one_variant_is_nothing_to_compare(mine):
    mine.write_text(MINE[: MINE.index("  without")])
    with pytest.raises(UserError, match="variants must be at least two, the baseline first"):
        load_ablation(mine)


def test_what_is_compared_is_scored_alike(mine):
    mine.write_text(MINE.replace("{seed: 5}", "{data: {num_digits: 2}}"))
    with pytest.raises(UserError, match=r"data\.num_digits is 2 in other_seed and 1 in with"):
        check_comparable(load_ablation(mine).variants)
    mine.write_text(
        MINE.replace("{seed: 5}", "{data: {seq_len: 20, validation_share: 0.1}}")
    )  # training's alone
    check_comparable(load_ablation(mine).variants)
    mine.write_text(MINE.replace("{seed: 5}", "{model: {family: motion_gan}}"))
    with pytest.raises(UserError, match="other_seed and with: a generator beside a predictor"):
        check_comparable(load_ablation(mine).variants)


shipped = functools.cache(load_ablation)


@pytest.mark.parametrize("name", SHIPPED)
def test_shipped_ablations_can_be_compared(name):
    ablation = shipped(name)
    check_comparable(ablation.variants)
    variants = list(ablation.variants.values())
    assert ablation.changes[variants[0].name] == {}
    for number, one in enumerate(variants):
        same = [v.name for v in variants[:number] if (v.model, v.seed) == (one.model, one.seed)]
        assert same == [], f"{one.name} changes nothing"
    assert ablation.question.endswith("?")


def changed(name):
    return {key for changes in shipped(name).changes.values() for key in changes}


def test_every_published_ablation_has_a_demonstration():
    full = {name for name in SHIPPED if not name.endswith("_demo")}
    assert full >= {"residual_paths", "sdfnet", "dfdnet", "motion_gan", "fusion"}
    assert {f"{name}_demo" for name in full} == set(SHIPPED) - full
    left_out = {"model.filter", "model.image_discriminator", "model.segmentation", "data.masks"}
    for name in full:
        assert changed(name) - left_out <= changed(f"{name}_demo")
