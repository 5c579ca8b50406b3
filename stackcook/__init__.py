"""stackcook turns one ``infrastructure.yml`` into a running OpenStack cloud.

Python programs use :class:`Cloud`; its expected errors are :class:`StackcookError`.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stackcook.api.cloud import Cloud, Node
    from stackcook.errors import RunError, StackcookError

__all__ = ["Cloud", "Node", "RunError", "StackcookError"]
__version__ = "0.1.0"

_MODULES = {
    "Cloud": "stackcook.api.cloud",
    "Node": "stackcook.api.cloud",
    "RunError": "stackcook.errors",
    "StackcookError": "stackcook.errors",
}


def __getattr__(name: str) -> Any:
    """Import a name when it is first used: the command line needs none of them."""
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_MODULES[name]), name)
