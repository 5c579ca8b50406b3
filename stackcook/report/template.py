"""Self-contained HTML pages from the templates beside this file."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Callable
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined


def render(name: str, filters: dict[str, Callable[..., Any]], **values: Any) -> str:
    """The page that a template makes of ``values``. Texts are escaped.

    The pages' own policy forbids scripts; it allows their style by its checksum.
    """
    here = files("stackcook.report")

    def read(name: str) -> str:
        return (here / name).read_text(encoding="utf-8")

    environment = Environment(
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=FunctionLoader(read),
    )
    environment.filters.update(filters)
    style = read("page.css")
    checksum = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return environment.get_template(name).render(style=style, style_hash=checksum, **values)
