"""A model family of one's own: frames go on as they moved last, by a share that is learned.

`hvp.register_family("drift", DriftConfig, Drift)` makes it known to a script; an entry point of an
installed package, in the group `hvp.families`, to the commands: `drift = "example_family:DRIFT"`.
"""

import dataclasses

import tensorflow as tf

import hvp


@dataclasses.dataclass(frozen=True)
class DriftConfig:
    family: str = "drift"
    share: float = 0.5  # of the last motion, before training


class Drift(hvp.models.VideoModel):
    config_class = DriftConfig
    min_context, min_window = 2, 3  # frames

    def build_layers(self):
        self.share = self.add_weight(initializer="zeros", name="share")
        self.share.assign(self.settings.share)

    def compute_objective(self, batch, seed, training):
        steps = batch[:, 1:] - batch[:, :-1]
        loss = tf.reduce_mean(tf.square(steps[:, 1:] - self.share * steps[:, :-1]))
        return loss, {"loss": loss}

    def _rollout(self, context, horizon, num_samples, seeds, masks):
        frames = tf.unstack(context[:, -2:], axis=1)
        for _ in range(horizon):
            frames.append(frames[-1] + self.share * (frames[-1] - frames[-2]))
        return tf.stack(frames[2:], axis=1)[None]


DRIFT = hvp.Family(DriftConfig, Drift)
