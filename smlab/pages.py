"""The templates of the HTML pages."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from jinja2 import ChainableUndefined, Environment, FileSystemLoader

TEMPLATES = Path(__file__).with_name("templates")


@cache
def environment() -> Environment:
    """Return the template environment: everything is escaped unless a template says that it is HTML."""
    return Environment(
        loader=FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=ChainableUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
