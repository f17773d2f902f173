"""The environment of templates, with the style sheet and the frame that all pages share."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

TEMPLATES = Path(__file__).parent / "templates"


def templates_in(folder: Path) -> Environment:
    """Return the templates of a folder, which extend `base.html`; they escape all texts."""
    environment = Environment(
        loader=FileSystemLoader([folder, TEMPLATES]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = (TEMPLATES / "page.css").read_text(encoding="utf-8")
    environment.globals["style"] = Markup(style)
    return environment
