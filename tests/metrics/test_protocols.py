import json
import subprocess
import sys

import pytest

from hvp.errors import UserError
from hvp.metrics.protocols import PROTOCOLS, find_protocol
from hvp.metrics.registry import METRICS


def test_every_protocol_names_existing_conventions_and_describes_them():
    assert set(PROTOCOLS) == {"default", "legacy", "cwvae", "svg", "simvp", "simvp-legacy"}
    for protocol in PROTOCOLS.values():
        described = json.loads(json.dumps(protocol.describe(METRICS)))
        for metric in METRICS.values():
            convention = described["conventions"][metric.name]
            assert convention["definition"] == metric.conventions[convention["name"]]


def test_default_protocol_uses_defaults_and_legacy_does_not_clip():
    assert not PROTOCOLS["default"].conventions
    assert PROTOCOLS["default"].clip_predictions
    assert PROTOCOLS["legacy"].convention("ssim") == "legacy"
    assert PROTOCOLS["legacy"].convention("lpips") == "unclipped"
    assert PROTOCOLS["simvp-legacy"].convention("psnr") == "simvp-legacy"
    assert not PROTOCOLS["cwvae"].clip_predictions


def test_unknown_protocol_lists_the_names():
    with pytest.raises(UserError, match="'nonsense'; valid: default, legacy, cwvae"):
        find_protocol("nonsense")


def test_names_are_known_without_tensorflow():
    code = (
        "import sys, hvp; hvp.metrics.PROTOCOLS, hvp.metrics.METRICS; "
        "assert 'tensorflow' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
