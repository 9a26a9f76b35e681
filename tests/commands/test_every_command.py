"""What holds for every command of the table, whatever it does."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import hvp
from hvp.__main__ import COMMANDS, main, parser_of
from hvp.commands.options import open_experiment, overrides_of, read_configuration
from hvp.config.ablation import load_ablation
from hvp.config.benchmark import load_benchmark
from hvp.families import FAMILIES

ROOT = Path(__file__).resolve().parents[2]
ODD = r"""a "b" [c] \d: 'e', *f #{g} é"""
# Those that have arguments without which they do not start.
NEEDED = {
    "train": ["--config", "demo"],
    "launch": ["slurm", "--nodes", "2", "--", "train", "--config", "demo"],
    "evaluate": ["--logdir", "LOGDIR"],
    "prepare": ["kth", "--out", "out"],
    "show": ["--config", "demo"],
    "predict": ["--logdir", "LOGDIR", "--input", "video.avi"],
    "generate": ["--logdir", "LOGDIR"],
    "fvd": ["--logdir", "LOGDIR"],
    "fuse": ["--input", "video.avi", "--out", "out.gif"],
    "share": ["--logdir", "LOGDIR", "--to", "out"],
    "recursion": ["--logdir", "LOGDIR"],
    "benchmark": ["forking_shapes_small"],
    "law": ["--logdir", "LOGDIR"],
    "ablate": ["--config", "fusion_demo"],
    "validate-metrics": ["--logdir", "LOGDIR"],
    "import-weights": ["--checkpoint", "model.ckpt"],
    "bench": ["--config", "demo"],
}
# They read neither one nor a configuration of their own, or (share) take it as it is.
NO_EXPERIMENT = {"prepare", "fuse", "config-schema", "launch", "share"}
PREDICTORS = ["evaluate", "predict", "recursion", "law", "validate-metrics"]
GENERATORS = ["generate", "fvd"]


def flags_of(name):
    return set(parser_of(name)._option_string_actions)


def arguments_of(name, logdir="logs/x"):
    return [str(logdir) if word == "LOGDIR" else word for word in NEEDED.get(name, [])]


def run_folder(folder, family):
    """The folder of a run, as far as it is read before TensorFlow is needed."""
    (folder / "model").mkdir(parents=True)
    data = "{height: 64, width: 64, channels: 3, seq_len: 16}"
    text = f"name: {folder.name}\ndata: {data}\nmodel: {{family: {family}}}\n"
    (folder / "config.yml").write_text(text)
    return folder


def test_every_module_is_in_the_table():
    files = {path.stem.replace("_", "-") for path in (ROOT / "hvp" / "commands").glob("[a-z]*.py")}
    assert files == {*COMMANDS, "options", "parser"}


@pytest.mark.parametrize("name", COMMANDS)
def test_help_says_what_it_does_and_what_each_flag_is(name, capsys):
    with pytest.raises(SystemExit) as left:
        main([name, "--help"])
    assert left.value.code == 0
    printed = " ".join(capsys.readouterr().out.split())
    assert printed.startswith(f"usage: python -m hvp {name} ")
    assert hvp.__main__._module(name).HELP in printed
    assert all(action.help for action in parser_of(name)._actions)


def test_help_does_not_import_tensorflow():
    code = f"""
import sys
from hvp.__main__ import parser_of
heavy = {{"tensorflow", "keras", "matplotlib", "cv2", "torch"}}
for name in {sorted(COMMANDS, key="fuse".__eq__)}:
    if name == "fuse":  # its defaults are those of a configuration
        print({{"numpy", "pydantic", "yaml", "hvp.config"}} & set(sys.modules))
    parser_of(name).format_help()
    assert not heavy & set(sys.modules), (name, heavy & set(sys.modules))
print("all")
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert (result.stdout, result.stderr) == ("set()\nall\n", "")


def test_the_list_of_commands_imports_none_of_them():
    code = """
import sys
from hvp.__main__ import main
try:
    main(["--help"])
finally:
    print(sorted(name for name in sys.modules if name.startswith(("hvp.commands.", "numpy"))))
"""
    result = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.stdout.endswith("['hvp.commands.parser']\n"), result.stdout
    for name, summary in COMMANDS.items():
        assert f"  {name} " in result.stdout
        assert summary in result.stdout


def test_what_works_on_an_experiment_can_be_told_otherwise():
    asked = {name for name in COMMANDS if flags_of(name) & {"--config", "--logdir"}}
    asked -= {"share"}  # passes a model on as it was trained
    assert asked == set(COMMANDS) - NO_EXPERIMENT
    for name in asked:
        assert {"--set", "--datadir"} <= flags_of(name), name


@pytest.mark.parametrize("name", sorted(set(COMMANDS) - NO_EXPERIMENT))
def test_a_path_arrives_as_it_was_typed(name, tmp_path):
    """`--datadir` and `--set` in the configuration that the command then works with."""
    family = "motion_gan" if name in GENERATORS else "hierarchical"
    folder = run_folder(tmp_path / ODD / "run", family)
    given = ["--set", "seed=7", "--datadir", ODD]
    arguments = parser_of(name).parse_args([*arguments_of(name, folder), *given])
    if name == "import-weights":
        config = hvp.load_config("demo", overrides_of(arguments))
    elif name == "ablate":
        *_, config = load_ablation("fusion_demo", overrides_of(arguments)).variants.values()
    elif name == "benchmark":
        benchmark = load_benchmark("forking_shapes_small", overrides_of(arguments))
        *_, config = benchmark.experiments.values()
    elif "--config" in flags_of(name):
        config = read_configuration(arguments)
    else:
        logdirs = arguments.logdir if isinstance(arguments.logdir, list) else [arguments.logdir]
        config = open_experiment(arguments, lambda *_: None, logdir=logdirs[0]).config
    assert (config.data.datadir, config.seed) == (ODD, 7)


def test_odd_folders_end_to_end(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("HVP_CACHE_DIR", str(tmp_path / "cache"))
    folder = tmp_path / ODD.replace("/", "") / "videos"
    (folder / "train").mkdir(parents=True)
    frames = np.random.default_rng(0).integers(0, 256, (4, 8, 8, 1), np.uint8)
    np.save(folder / "train" / "a.npy", frames)
    config = folder.parent / "mine.yml"
    config.write_text("data: {dataset: folder, height: 8, width: 8, seq_len: 4}\n")
    out = folder.parent / "out"
    paths = ["--config", config, "--datadir", folder, "--out", out]
    assert main(["show", *map(str, paths)]) == 0, capsys.readouterr().err
    assert {path.name for path in out.iterdir()} == {"contact_sheet.png", "clips.gif", "videos.csv"}


@pytest.mark.parametrize(
    ("name", "family", "message"),
    [
        *((name, "motion_gan", "does not predict how a video goes on") for name in PREDICTORS),
        *((name, "hierarchical", "does not generate videos") for name in GENERATORS),
        ("import-weights", "fusion", "is of the family fusion; published so were sdfnet, dfdnet"),
    ],
)
def test_the_wrong_family_is_refused_in_one_line(name, family, message, tmp_path, capsys):
    folder = run_folder(tmp_path / "run", family)
    arguments = arguments_of(name, folder)
    if name == "import-weights":
        (tmp_path / "model.pth").write_bytes(b"")
        arguments = ["--checkpoint", str(tmp_path / "model.pth")]
    if "--config" in flags_of(name):
        arguments += ["--config", str(folder / "config.yml"), "--logdir", str(tmp_path / "logs")]
    assert main([name, *arguments]) == 2
    error = capsys.readouterr().err
    assert error.startswith("error: ")
    assert error.count("\n") == 1
    assert message in error
    if name in GENERATORS + PREDICTORS:  # what to use in its place
        assert "python -m hvp generate" in error or "python -m hvp predict" in error
    assert [path.name for path in tmp_path.iterdir() if path.is_dir()] == ["run"]
    assert {path.name for path in folder.iterdir()} == {"config.yml", "model"}


def test_both_kinds_of_family_are_there():
    assert {family.generates for family in map(FAMILIES.__getitem__, FAMILIES)} == {True, False}
