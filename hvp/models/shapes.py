"""Shapes of what layers give, for `model.summary()`.

Keras knows them of layers that were called with its symbolic tensors. Ours are called with
TensorFlow's, so one validation step is traced and looked at.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from unittest import mock

import keras
import tensorflow as tf

from hvp.layers.shared import SharedLayers

if TYPE_CHECKING:
    from hvp.models.base import VideoModel


@contextmanager
def shown_shapes(model: VideoModel) -> Iterator[None]:
    """While in use, Keras shows the output shapes of the model's layers, as far as one is known."""
    shapes = output_shapes(model)
    layers = [x for x in model._flatten_layers(include_self=False) if id(x) in shapes]
    before = [layer._build_shapes_dict for layer in layers]
    for layer in layers:
        # Not by Keras' own `__setattr__`, which tracks what it is given.
        object.__setattr__(layer, "_build_shapes_dict", {"input_shape": ()})
        found = shapes[id(layer)]
        object.__setattr__(layer, "compute_output_shape", lambda found=found, **_: found)
    try:
        yield
    finally:
        for layer, build_shapes in zip(layers, before, strict=True):
            object.__setattr__(layer, "_build_shapes_dict", build_shapes)
            object.__delattr__(layer, "compute_output_shape")


def output_shapes(model: VideoModel) -> dict[int, Any]:
    """What each layer gives when the model is validated: shapes by the layer's `id`."""
    shapes: dict[int, Any] = {}
    call = keras.layers.Layer.__call__

    def recording(layer: keras.layers.Layer, *inputs: Any, **options: Any) -> Any:
        outputs = call(layer, *inputs, **options)
        tensors = [x for x in tf.nest.flatten(outputs) if isinstance(x, tf.Tensor)]
        found = [tuple(tensor.shape) for tensor in tensors if tensor.shape.rank is not None]
        if found:
            shapes.setdefault(id(layer), found[0] if len(found) == 1 else found)
        return outputs

    time = max(model.min_window, model.min_context)
    video = tf.TensorSpec([None, time, *model.frame_shape], tf.float32)
    masks = tf.TensorSpec([None, time, *model.frame_shape[:2]], tf.uint8)
    batch = {"video": video, "masks": masks} if model.needs_masks else video

    def directly(_: SharedLayers, layer: keras.layers.Layer, x: Any, **settings: Any) -> Any:
        return layer(x, **settings)  # not the function that was traced of it, or of another

    with (
        mock.patch.object(keras.layers.Layer, "__call__", recording),
        mock.patch.object(SharedLayers, "__call__", directly),
    ):
        tf.function(model.test_step, autograph=False).get_concrete_function(batch)
    return shapes | _twins(model, shapes)


def _twins(model: VideoModel, shapes: dict[int, Any]) -> dict[int, Any]:
    """Those of layers that validation does not call, such as an average, by others that equal."""

    def kind(layer: keras.layers.Layer) -> tuple[Any, ...]:
        return (type(layer), *(tuple(weight.shape) for weight in layer.weights))

    layers = model._flatten_layers(include_self=False, recursive=False)
    known = {kind(layer): shapes[id(layer)] for layer in layers if id(layer) in shapes}
    missing = [layer for layer in layers if id(layer) not in shapes and kind(layer) in known]
    return {id(layer): known[kind(layer)] for layer in missing}
