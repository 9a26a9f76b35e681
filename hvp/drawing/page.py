"""HTML pages from templates; plain HTML that opens from disk."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import jinja2


@functools.cache
def _environment() -> jinja2.Environment:
    import jinja2

    return jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent / "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def render_page(template: str, **values: Any) -> str:
    """The HTML of one of `hvp/drawing/templates`, with every value escaped.

    Args:
        template: the file's name there.
        values: what the template shows; each page has a `title`.
    """
    return _environment().get_template(template).render(values)
