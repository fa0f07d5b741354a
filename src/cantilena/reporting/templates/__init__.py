"""Templates of pages, and their rendering into self-contained documents."""

from __future__ import annotations

import base64
import hashlib
from importlib import resources

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cantilena.errors import __version__


def render(template: str, *, css: str, script: str = "", **values: object) -> str:
    """Render a template of this folder; the same values give the same bytes.

    Args:
        template: the name of the file.
        css: the style sheet.
        script: the script; its hash is the only one that the page's content security policy allows.
        values: for the template, by name.
    """
    environment = Environment(
        loader=PackageLoader("cantilena.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template(template).render(
        values,
        version=__version__,
        css=Markup(css),  # noqa: S704  (our own)
        script=Markup(script),  # noqa: S704  (our own)
        script_hash="sha256-" + base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def read_template(name: str) -> str:
    """The text of a file of this folder."""
    return resources.files("cantilena.reporting.templates").joinpath(name).read_text(encoding="utf-8")
