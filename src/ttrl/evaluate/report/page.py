"""What the pages have in common: one file that needs no network and trusts no text.

Model output reaches a page through jinja2's autoescape and `tojson` only, which write < > & and '
in a way that ends no element, and scripts show it as text, never as markup. As a second wall, the
page's own policy runs no script but those of this package, by their hashes, and loads nothing.
"""

from __future__ import annotations

import base64
import functools
import hashlib
import importlib.resources
from collections.abc import Sequence
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

MARK = "<!-- a page of ttrl -->"
"""Ends every page, so that one page may take the place of another and of nothing else."""


def render_page(
    template: str, *, styles: Sequence[str], scripts: Sequence[str], **values: object
) -> str:
    """A template with its assets in it; it finds `styles`, `scripts` and `script_hashes`."""
    texts = [_asset(name) for name in scripts]
    html = (
        _environment()
        .get_template(template)
        .render(
            styles=[Markup(_asset(name)) for name in styles],
            scripts=[Markup(text) for text in texts],
            script_hashes=[_policy_hash(text) for text in texts],
            **values,
        )
    )
    whole = html.encode("utf-8", "replace").decode("utf-8")  # lone surrogates become '?'
    return f"{whole.rstrip()}\n{MARK}\n"


def is_page(path: Path) -> bool:
    """Whether a file is a page that ttrl has written."""
    try:
        with path.open("rb") as file:
            file.seek(max(0, path.stat().st_size - 2 * len(MARK)))
            return file.read().rstrip().endswith(MARK.encode())
    except OSError:
        return False


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("ttrl.evaluate.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.policies["json.dumps_kwargs"] = {"ensure_ascii": False, "separators": (",", ":")}
    return environment


def _asset(name: str) -> str:
    return (importlib.resources.files("ttrl.evaluate.report") / name).read_text("utf-8")


def _policy_hash(script: str) -> str:
    """A script as the content security policy names it."""
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    return f"'sha256-{digest}'"
