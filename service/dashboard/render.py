"""Renders pages: one environment with escaping on, and headers that keep everything foreign out."""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from typing import Any

import plotly
from fastapi.responses import HTMLResponse
from jinja2 import ChoiceLoader, Environment, PackageLoader

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cache-Control": "no-store",
}
"""Scripts come from this service alone and never stand in the page; Plotly sets styles of its own elements."""

OWN = ("look.css", "figures.js"), ("style.css", "live.js", "icon.svg")
"""Files of search/templates, which the report shares, and of dashboard/static."""


def page(template: str, status: int = 200, **context: Any) -> HTMLResponse:
    """A page from a template of this package."""
    text = _environment().get_template(template).render(**context)
    return HTMLResponse(text, status, HEADERS)


@lru_cache(maxsize=1)
def static_files() -> dict[str, bytes]:
    """Every own file that pages load, by name."""
    shared, own = files("search") / "templates", files("service.dashboard") / "static"
    return {name: (shared / name).read_bytes() for name in OWN[0]} | {n: (own / n).read_bytes() for n in OWN[1]}


@lru_cache(maxsize=1)
def _environment() -> Environment:
    loader = ChoiceLoader([PackageLoader("service.dashboard", "templates"), PackageLoader("search", "templates")])
    environment = Environment(loader=loader, autoescape=True, trim_blocks=True, lstrip_blocks=True)
    digest = hashlib.sha256(b"".join(static_files().values())).hexdigest()[:12]
    environment.globals |= {"version": digest, "plotly": plotly.__version__}
    return environment
