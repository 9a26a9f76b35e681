"""What Keras' export to ONNX leaves to do: tf2onnx writes files that no program can load."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np


@contextmanager
def converting() -> Iterator[None]:
    """Exports to ONNX go on in it: quietly, and with the complementary error function of GELU.

    tf2onnx logs every operation that it cannot convert, and goes on; `check_onnx` says it once.

    Raises:
        ImportError: if tf2onnx is not installed.
    """
    import tf2onnx  # noqa: F401  it is what sets up its logger

    _convert_erfc()
    names = [n for n in logging.root.manager.loggerDict if n.split(".")[0] == "tf2onnx"]
    levels = {logger: logger.level for logger in map(logging.getLogger, names)}
    for logger in levels:
        logger.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for logger, level in levels.items():
            logger.setLevel(level)


def check_onnx(path: Path) -> None:
    """Raises a `ValueError` if a file is no program in ONNX, naming operations that it lacks."""
    import onnx

    model = onnx.load(str(path))
    unknown = sorted({node.op_type for node in _nodes(model.graph) if not _is_known(node)})
    if unknown:
        raise ValueError(f"ONNX has no {', '.join(unknown)}")
    onnx.checker.check_model(str(path), full_check=True)


def _nodes(graph: Any) -> Iterator[Any]:
    """All operations, those in the bodies of loops and branches too."""
    for node in graph.node:
        yield node
        for attribute in node.attribute:
            if attribute.HasField("g"):
                yield from _nodes(attribute.g)


def _is_known(node: Any) -> bool:
    import onnx

    return onnx.defs.has(node.op_type, node.domain)


def _convert_erfc() -> None:
    """Teaches tf2onnx `Erfc`: 1 - Erf."""
    from tf2onnx import utils
    from tf2onnx.handler import tf_op

    @tf_op("Erfc")
    class _Erfc:
        @classmethod
        def version_9(cls, ctx: Any, node: Any, **_: Any) -> None:
            x, outputs = list(node.input), list(node.output)
            shapes, dtypes = node.output_shapes, node.output_dtypes
            ctx.remove_node(node.name)
            one = ctx.make_const(utils.make_name("one"), np.array(1, np.float32)).output[0]
            erf = ctx.make_node("Erf", x).output[0]
            ctx.make_node(
                "Sub", [one, erf], name=node.name, outputs=outputs, shapes=shapes, dtypes=dtypes
            )
