"""The names by which Keras' files refer to hvp's classes.

`hvp` registers them as soon as Keras is imported too, so that `keras.models.load_model` finds them;
the classes themselves are imported when a file names them.
"""

from __future__ import annotations

from typing import Any

from hvp.families import OWN
from hvp.registry import load

PACKAGE = "hvp"
SCHEDULES = "hvp.training.schedules"
CLASSES = [
    *(str(family.model) for family in OWN.values()),
    *(f"{SCHEDULES}:{name}" for name in ("OneCycle", "WarmUpCosine", "Milestones")),
]


class _Named:
    """Stands for a class until it is imported, which registers itself in this one's place."""

    reference: str

    def get_config(self) -> dict[str, Any]:
        raise NotImplementedError("there are no objects of it")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Any:
        return load(cls.reference).from_config(config)


def register(keras: Any) -> None:
    """Makes the names of all classes known to Keras."""
    for reference in CLASSES:
        name = reference.partition(":")[2]
        named = type(name, (_Named,), {"reference": reference})
        keras.saving.register_keras_serializable(PACKAGE, name)(named)
