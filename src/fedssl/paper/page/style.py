"""The style sheet of the report page, and the setting of templates, which all pages share."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATES = Path(__file__).parent / "templates"


def page_style() -> str:
    """Return the style sheet as text."""
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")


def templates_in(folder: Path) -> Environment:
    """Return the templates of a folder; they escape all texts."""
    return Environment(
        loader=FileSystemLoader(folder),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
