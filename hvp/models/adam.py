"""Adam with TensorFlow's fused update."""

from __future__ import annotations

from functools import lru_cache, partial
from typing import Any

import keras
import tensorflow as tf
from tensorflow.python.eager import context  # nothing public forgets kernels


@keras.saving.register_keras_serializable("hvp")
class Adam(keras.optimizers.Adam):
    """`keras.optimizers.Adam`, each update of a variable done in place by one operation.

    Keras' own update makes several temporary tensors of every variable's size, which shows in the
    peak memory of wide models. The arithmetic is the same, but where `beta_1` is cycled or
    `pytorch_epsilon` is on.

    A learning-rate schedule with a method `beta_1(step)` sets that too, in place of the constant,
    as PyTorch's one-cycle schedule does. The moments' bias is corrected by `beta_1 ** updates` of
    the present `beta_1`, as there.

    Takes Keras' arguments, except that `amsgrad` must be off.

    Args:
        pytorch_epsilon: add epsilon to the root of the bias-corrected second moment, as PyTorch,
            not of the moment itself, as TensorFlow. They differ by a factor of
            sqrt(1 - beta_2 ** updates), which tells for gradients as small as epsilon in the
            first thousand updates.
    """

    def __init__(self, *args: Any, pytorch_epsilon: bool = False, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if self.amsgrad:
            raise ValueError("this Adam has no amsgrad; use keras.optimizers.Adam")
        self.pytorch_epsilon = pytorch_epsilon
        self._reduced = False  # whether gradients are of all replicas already

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "pytorch_epsilon": self.pytorch_epsilon}

    def build(self, variables: list[Any]) -> None:
        """Makes the moments' variables."""
        super().build(variables)
        # TensorFlow keeps the kernel, 20 kB, that made a variable, for the next of that name: of
        # use to nobody, and of a network of 800 variables and their moments 0.05 GiB. Functions
        # that ran before are made ready anew at their next call.
        context.context().clear_kernel_cache()

    def current_beta_1(self) -> tf.Tensor:
        """The first moment's decay of the next update, a scalar."""
        cycled = getattr(self._learning_rate, "beta_1", None)
        value = self.beta_1 if cycled is None else cycled(self.iterations.value)
        return tf.cast(value, tf.float32)

    def momentum_of(self, variable: Any) -> Any:
        """The first moment's variable."""
        return self._momentums[self._get_variable_index(variable)]

    def velocity_of(self, variable: Any) -> Any:
        """The second moment's variable."""
        return self._velocities[self._get_variable_index(variable)]

    def apply_reduced(self, gradients: list[tf.Tensor], variables: list[Any]) -> None:
        """`apply` with gradients that every replica has in full; `apply` would add them up."""
        # For all replicas: they run in turns, and none goes on before each has come to the update.
        self._reduced = True
        try:
            self.apply(gradients, variables)
        finally:
            self._reduced = False

    def _all_reduce_sum_gradients(self, grads_and_vars: Any) -> Any:
        if self._reduced:
            return grads_and_vars
        return super()._all_reduce_sum_gradients(grads_and_vars)

    def _distributed_tf_update_step(
        self, distribution: Any, grads_and_vars: Any, learning_rate: Any
    ) -> None:
        # For each variable anew they would be a fifth of the operations of a training graph.
        self._scalars_of = lru_cache(partial(self._scalars, learning_rate))
        try:
            super()._distributed_tf_update_step(distribution, grads_and_vars, learning_rate)
        finally:
            del self._scalars_of

    def update_step(self, gradient: tf.Tensor, variable: tf.Variable, learning_rate: Any) -> None:
        scalars_of = getattr(self, "_scalars_of", partial(self._scalars, learning_rate))
        tf.raw_ops.ResourceApplyAdam(
            var=variable.handle,
            m=self.momentum_of(variable).value.handle,
            v=self.velocity_of(variable).value.handle,
            grad=tf.cast(gradient, variable.dtype),
            **scalars_of(variable.dtype),
        )

    def _scalars(self, learning_rate: Any, dtype: tf.DType) -> dict[str, tf.Tensor]:
        """What the next update of every variable of a type shares, by the operation's names."""
        step = tf.cast(tf.convert_to_tensor(self.iterations.value) + 1, dtype)
        beta_1, beta_2 = tf.cast(self.current_beta_1(), dtype), tf.cast(self.beta_2, dtype)
        beta_2_power = tf.pow(beta_2, step)
        epsilon = tf.cast(self.epsilon, dtype)
        if self.pytorch_epsilon:
            epsilon *= tf.sqrt(1.0 - beta_2_power)
        return {
            "beta1_power": tf.pow(beta_1, step),
            "beta2_power": beta_2_power,
            "lr": tf.cast(learning_rate, dtype),
            "beta1": beta_1,
            "beta2": beta_2,
            "epsilon": epsilon,
        }
