"""TF-GAN is usable, and its import leaves TensorFlow and the import system as they were."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

FRESH_PROCESS = """
import json, sys
from hvp.quiet import import_tensorflow
import_tensorflow()
import tensorflow as tf
import tensorflow_probability
tensorflow_probability.distributions.Normal  # loaded, with tf_keras, when it is used
before = set(dir(tf)), set(dir(tf.compat.v1)), "pkg_resources" in sys.modules
from hvp.tf_gan import tensorflow_gan
package = tensorflow_gan()
after = set(dir(tf)), set(dir(tf.compat.v1)), "pkg_resources" in sys.modules
print(json.dumps({
    "version": package.__version__,
    "same": before == after,
    "estimator": hasattr(tf, "estimator") or hasattr(tf.compat.v1, "estimator"),
    "once": tensorflow_gan() is package,
}))
"""


@pytest.mark.slow
def test_import_is_quiet_and_leaves_nothing_behind():
    done = subprocess.run(
        [sys.executable, "-W", "default", "-c", FRESH_PROCESS], capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    # distutils is deprecated, and tensorflow_probability, imported here first, mentions it itself.
    assert "tensorflow_gan" not in done.stderr
    assert "tensorflow_hub" not in done.stderr
    found = json.loads(done.stdout)
    assert found.pop("version").startswith("2.")
    assert found == {"same": True, "estimator": False, "once": True}


def test_losses_and_frechet_distance_work():
    from hvp.tf_gan import tensorflow_gan

    package = tensorflow_gan()
    fake = np.array([-1.0, 2.0], np.float32)
    modified = package.losses.wargs.modified_generator_loss(fake, add_summaries=False)
    # softplus(-logit), the non-saturating loss; TF-GAN's label smoothing is 0 by default
    np.testing.assert_allclose(modified, np.mean(np.log1p(np.exp(-fake))), rtol=1e-5)
    points = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 2.0]], np.float32)
    distance = package.eval.frechet_classifier_distance_from_activations(points, points + 3.0)
    np.testing.assert_allclose(distance, 18.0, rtol=1e-5)
