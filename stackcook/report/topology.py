"""The nodes, their roles and their networks as a drawing (SVG)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from xml.sax.saxutils import escape

from stackcook.errors import counted
from stackcook.manifest.model import Manifest, Node

MOST = 24
"""How many nodes with the same run list are drawn; the others are counted."""

_IN_A_ROW = 4
_BOX = (180, 66)
_GAP = 20
_MARGIN = 24
_HEAD = 60
"""Above the first row: the title, and the names of the networks."""

_ROW = _BOX[1] + 70
_LETTERS = 26
"""How many letters fit into a box."""

_INTERNAL, _EXTERNAL = "#2563b0", "#b35c00"
_STYLE = f"""\
text {{ font: 12px sans-serif; fill: #222 }}
.title {{ font-size: 16px; font-weight: bold }}
.name {{ font-weight: bold }}
.internal {{ stroke: {_INTERNAL}; fill: none; stroke-width: 2 }}
.external {{ stroke: {_EXTERNAL}; fill: none; stroke-width: 2 }}
text.internal {{ stroke: none; fill: {_INTERNAL} }}
text.external {{ stroke: none; fill: {_EXTERNAL} }}
.node {{ fill: #f4f6f8; stroke: #667 }}"""


def draw(manifest: Manifest) -> str:
    """The drawing, a row for up to four nodes with the same run list.

    Below the nodes is their network, above them the external network if there is one.
    """
    rows = [*_rows(manifest.nodes)]
    columns = max((len(row) for row in rows), default=1)
    width = 2 * _MARGIN + max(2, columns) * (_BOX[0] + _GAP) + _GAP
    height = _HEAD + len(rows) * _ROW + _MARGIN
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        f' width="{width}" height="{height}" role="img">',
        f"<title>{escape(manifest.name)}</title>",
        f"<style>{_STYLE}</style>",
        f'<rect width="{width}" height="{height}" fill="#fff"/>',
        _text(_MARGIN, 26, manifest.name, "title"),
        *_networks(manifest, width, len(rows)),
    ]
    for number, row in enumerate(rows):
        for column, cell in enumerate(row):
            x = _MARGIN + _GAP + column * (_BOX[0] + _GAP)
            parts += _cell(cell, x, _top(number), external=bool(manifest.external_network))
    return "\n".join((*parts, "</svg>"))


def _rows(nodes: Sequence[Node]) -> Iterator[Sequence[Node | str]]:
    """The cells of each row: nodes, or how many more there are."""
    groups: dict[tuple[str, ...], list[Node]] = {}
    for node in nodes:
        groups.setdefault(node.run_list, []).append(node)
    for group in groups.values():
        cells: list[Node | str] = [*group]
        if len(group) > MOST:
            cells = [*group[: MOST - 1], f"and {counted(len(group) - MOST + 1, 'more node')}"]
        for at in range(0, len(cells), _IN_A_ROW):
            yield cells[at : at + _IN_A_ROW]


def _top(row: int) -> int:
    """Where the boxes of a row begin."""
    return _HEAD + 32 + row * _ROW


def _networks(manifest: Manifest, width: int, rows: int) -> Iterator[str]:
    """Each network: its name, a line down the side, and a branch for each row."""
    internal = str(manifest.network) if manifest.network else "network of the hosts"
    if shared := ", ".join(str(each.address) for each in manifest.virtual_addresses):
        internal += f", shared by controllers: {shared}"
    below = [_top(row) + _BOX[1] + 16 for row in range(rows)]
    yield _text(_MARGIN, _HEAD - 10, internal, "internal")
    yield from _tree("internal", _MARGIN, width - _MARGIN - _GAP, below)
    if manifest.external_network:
        name = f"{manifest.external_network} (external)"
        yield _text(width - _MARGIN, _HEAD - 10, name, "external", 'text-anchor="end"')
        above = [_top(row) - 16 for row in range(rows)]
        yield from _tree("external", width - _MARGIN, _MARGIN + _GAP, above)


def _tree(style: str, x: int, to: int, branches: Sequence[int]) -> Iterator[str]:
    if branches:
        steps = "".join(f" M{x} {y} H{to}" for y in branches)
        yield f'<path class="{style}" d="M{x} {_HEAD - 4} V{branches[-1]}{steps}"/>'


def _cell(cell: Node | str, x: int, y: int, *, external: bool) -> Iterator[str]:
    wide, high = _BOX
    if isinstance(cell, str):
        yield _text(x + 10, y + 38, cell)
        return
    middle = x + wide // 2
    yield f'<path class="internal" d="M{middle} {y + high} v16"/>'
    if external:
        yield f'<path class="external" d="M{middle} {y} v-16"/>'
    place = str(cell.address or cell.ssh_address or "")
    roles = ", ".join(cell.roles) or ", ".join(cell.run_list)
    tip = "\n".join(filter(None, (cell.name, place, *cell.run_list)))
    yield f"<g><title>{escape(tip)}</title>"
    yield f'<rect class="node" x="{x}" y="{y}" width="{wide}" height="{high}" rx="6"/>'
    yield _text(x + 10, y + 20, cell.name, "name")
    yield _text(x + 10, y + 38, place)
    yield _text(x + 10, y + 56, roles)
    yield "</g>"


def _text(x: int, y: int, text: str, style: str = "", more: str = "") -> str:
    if style in ("", "name") and len(text) > _LETTERS:
        text = f"{text[: _LETTERS - 1]}…"
    return f'<text x="{x}" y="{y}" class="{style}" {more}>{escape(text)}</text>'
