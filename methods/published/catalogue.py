"""Every published system, by the id under which the surveys list it."""

from __future__ import annotations

from methods.published import combined, prune, quantize, structure
from methods.published.row import Published

PUBLISHED: dict[str, Published] = {
    row.id: row for rows in (prune.ROWS, quantize.ROWS, structure.ROWS, combined.ROWS) for row in rows
}
