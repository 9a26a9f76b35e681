"""Mistakes in a command line: one line each, exit code 2, and what was perhaps meant."""

from __future__ import annotations

import pytest

import hvp
from hvp.__main__ import main, parser_of


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("", "the following arguments are required: COMMAND; see python -m hvp --help"),
        ("trian", "COMMAND is 'trian'; did you mean 'train'?"),
        ("--verson", "--verson is no argument of python -m hvp; did you mean '--version'?"),
        ("show --confg demo", "--confg is no argument of python -m hvp show; did you mean '--conf"),
        ("show", "the following arguments are required: --config; see python -m hvp show --help"),
        ("show demo --config demo", "'demo' is no argument of python -m hvp show"),
        ("show --config demo --split tran", "--split is 'tran'; did you mean 'train'?"),
        ("show --config demo --num-clips=0", "--num-clips must be from 1 to 100, found 0"),
        ("show --config demo --num-clips x", "--num-clips must be a whole number, found 'x'"),
        ("generate --logdir x --seed -1", "--seed must be from 0 to 2147483647, found -1"),
        ("generate --logdir x --fps 0", "--fps must be from 0.1 to 1000, found 0"),
        ("generate --logdir x --fps nan", "--fps must be from 0.1 to 1000, found nan"),
        ("generate --logdir x --format gif,webp", "--format is gif,webp: 'webp' is none of gif,mp"),
        ("generate --logdir x --format ,", "--format is empty; choose of gif,mp4"),
        ("evaluate --logdir x --num-samples 0", "--num-samples must be at least 1, found 0"),
        ("fvd --logdir x --resolution 8by8", "--resolution is 8by8; expected pixels, such as 64"),
        ("fvd --logdir x --fake y", "--fake: not allowed with argument --logdir"),
        ("fuse --input x --out=", "--out is ''; use a plain name without slashes"),
        ("prepare toy --out data/.kth", "--out is '.kth'; use a name that does not begin with a"),
        (f"show --config demo --out {'x' * 81}", "--out is 'xxx"),
        ("generate --logdir x --out data/a\udcff", "--out is data/a\\udcff; use a path of plain"),
        ("fuse --input x --out y --sigma z", "--sigma: invalid float value: 'z'"),
    ],
)
def test_mistakes(typed, expected, capsys):
    assert main(typed.split()) == 2
    error = capsys.readouterr().err
    assert error.startswith(f"error: {expected}")
    assert error.count("\n") == 1


def test_flags_may_be_shortened_and_values_may_look_like_flags():
    arguments = parser_of("show").parse_args(["--conf", "demo", "--num=3", "--datadir=--x y"])
    assert (arguments.config, arguments.num_clips, arguments.datadir) == ("demo", 3, "--x y")


def test_places_may_be_named_from_within():
    for out in (".", "..", "a/../b", "name with blanks"):
        assert parser_of("show").parse_args(["--config", "demo", "--out", out]).out == out


def test_lists_and_sizes():
    arguments = ["--logdir", "x", "--format", "png, GIF,png"]
    assert parser_of("generate").parse_args(arguments).format == ["png", "gif"]
    assert parser_of("generate").parse_args(["--logdir", "x"]).format == ["gif"]
    for text, size in (("48x64", (48, 64)), ("64", (64, 64))):
        assert parser_of("fvd").parse_args(["--logdir", "x", "--resolution", text]).resolution == (
            size
        )


def test_aliases():
    assert parser_of("prepare").parse_args(["toy", "--out", "x"]).dataset == "moving_shapes"


def test_version(capsys):
    with pytest.raises(SystemExit) as left:
        main(["--version"])
    assert left.value.code == 0
    assert capsys.readouterr().out == f"hvp {hvp.__version__}\n"
