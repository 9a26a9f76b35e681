"""What README and docs/ say is so: commands, configurations, keys, links."""

from __future__ import annotations

import dataclasses
import re

import pytest
from pages import PAGES, README, ROOT, as_command, blocks, command_lines, inline_code, prose

from hvp.__main__ import COMMANDS, parser_of
from hvp.config import DataConfig, EvaluationConfig, TrainingConfig, load_config
from hvp.config.ablation import load_ablation
from hvp.config.benchmark import load_benchmark
from hvp.config_files import packaged_configs
from hvp.families import FAMILIES, model_config_class

CONFIGS = sorted(path.stem for path in packaged_configs().glob("*.yml"))
ABLATIONS = sorted(path.stem for path in packaged_configs().glob("ablations/*.yml"))
LINES = [(name, line) for name, page in PAGES.items() for line in command_lines(page)]


def keys() -> set[str]:
    """Every `section.key`, of all families."""
    sections = [
        ("data", DataConfig),
        ("training", TrainingConfig),
        ("evaluation", EvaluationConfig),
    ]
    sections += [("model", model_config_class(family)) for family in FAMILIES]
    return {f"{name}.{field.name}" for name, kind in sections for field in dataclasses.fields(kind)}


def options(command: str) -> set[str]:
    return {flag for action in parser_of(command)._actions for flag in action.option_strings}


@pytest.mark.parametrize(("page", "line"), LINES)
def test_command_lines_are_parsed_by_the_real_parser(page, line):
    command, arguments = as_command(line)
    assert command in COMMANDS
    parsed = parser_of(command).parse_args(arguments)
    overrides = getattr(parsed, "overrides", [])
    if command == "ablate":
        load_ablation(parsed.config, overrides)
    elif command == "benchmark":
        load_benchmark(parsed.config, overrides)
    elif getattr(parsed, "config", None):
        load_config(parsed.config, overrides)
    for override in overrides:
        assert str(override).split("=")[0] in keys() | {"name", "seed"}


def test_there_are_command_lines_of_every_command():
    quoted = {as_command(line)[0] for _, line in LINES}
    assert quoted == set(COMMANDS)


@pytest.mark.parametrize("page", PAGES)
def test_inline_code_names_what_exists(page):
    known = {flag for command in COMMANDS for flag in options(command)} | {"--help", "--version"}
    for code in inline_code(PAGES[page]):
        words = code.split()
        flags = [re.split("[=,]", word)[0] for word in words if re.match(r"--[a-z]", word)]
        if called := as_command(code):
            assert called[0] in COMMANDS or called[0].isupper(), code  # `hvp COMMAND`
            allowed = options(called[0]) if called[0] in COMMANDS else known
            assert set(flags) <= allowed, code
        elif words[0].startswith("--"):
            assert set(flags) <= known, code
        for key in re.findall(r"\b((?:data|model|training|evaluation)\.[a-z_0-9]+)\b", code):
            if not re.match(r"\w+\.(fit|generate|rollout|compile)\b", key):
                assert key in keys(), code


@pytest.mark.parametrize("page", PAGES)
def test_configurations_exist(page):
    for name in re.findall(r"configs/(\w+)\.yml", PAGES[page].read_text("utf-8")):
        assert name in CONFIGS


def test_every_configuration_is_listed():
    assert set(CONFIGS) <= set(inline_code(PAGES["docs/configuration.md"]))
    assert set(ABLATIONS) <= set(inline_code(PAGES["docs/ablations.md"]))


@pytest.mark.parametrize("page", PAGES)
def test_files_and_folders_that_are_named_exist(page):
    for code in inline_code(PAGES[page]):
        if re.match(r"(hvp|tests|bench|docs|configs)/[\w/.]+$", code):
            assert (ROOT / code).exists(), code


@pytest.mark.parametrize("page", PAGES)
def test_internal_links_lead_somewhere(page):
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(PAGES[page])):
        if re.match(r"https?:", target):
            continue
        path, _, anchor = target.partition("#")
        file = (PAGES[page].parent / path) if path else PAGES[page]
        assert file.exists(), target
        if anchor:
            assert anchor in anchors(file), target


def anchors(file) -> set[str]:
    """The anchors of a page's headings, as MkDocs and GitHub make them."""
    found = set()
    for heading in re.findall(r"^#+ (.+)$", file.read_text("utf-8"), re.MULTILINE):
        own = re.search(r"\{#([\w-]+)\}", heading)
        words = re.sub(r"[^\w\s-]", "", heading.lower()).strip()
        found.add(own[1] if own else re.sub(r"[\s-]+", "-", words))
    return found | set(re.findall(r"^::: ([\w.]+)$", file.read_text("utf-8"), re.MULTILINE))


def test_readme_is_short():
    assert len(README.read_text("utf-8").split()) <= 900


def test_examples_are_short():
    included = [
        block.text
        for name in PAGES
        if name.startswith("docs/add-")
        for block in blocks(PAGES[name])
        if block.text.startswith('"""')
    ]
    assert len(included) == len([name for name in PAGES if name.startswith("docs/add-")])
    assert all(len(text.strip().splitlines()) <= 40 for text in included)
