"""By graphs, as users run them, what other tests of these families run eagerly.

Other families by graphs: test_contract.py exports SimVP, commands/test_evaluate.py has the
hierarchical model, test_commands.py trains ConvLSTM, test_recursion.py the synthesis network, and
the slow test_shipped_configs.py all of them.
"""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from run_files import eager_functions
from test_contract import TRAINING, experiment, moving_squares

import hvp

CONTEXT = 2


def predicted_and_trained(family):
    """A rollout, and the losses of two updates."""
    model = hvp.build_model(experiment(family))
    model.configure_training(TRAINING)
    video = tf.constant(moving_squares(family))
    frames = model.rollout(video[:, :CONTEXT], 2, num_samples=2, seed=0)
    step = tf.function(model.train_step, autograph=False)
    return frames, [float(step(video)["loss"]) for _ in range(2)]


@pytest.mark.parametrize(
    "family",
    [
        "svg_lp",  # has loops; the others compile for long
        pytest.param("sdfnet", marks=pytest.mark.slow),
        pytest.param("dfdnet", marks=pytest.mark.slow),
    ],
)
def test_a_graph_does_what_eager_code_does(family):
    with eager_functions():
        frames, losses = predicted_and_trained(family)
    traced_frames, traced_losses = predicted_and_trained(family)
    np.testing.assert_allclose(traced_frames, frames, atol=1e-4)
    assert losses[1] != losses[0]
    np.testing.assert_allclose(traced_losses, losses, rtol=1e-4)  # sums are rounded otherwise
