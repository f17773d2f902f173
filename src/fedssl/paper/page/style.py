"""The style sheet of the report page, which the other pages of the project share."""

from pathlib import Path

TEMPLATES = Path(__file__).parent / "templates"


def page_style() -> str:
    """Return the style sheet as text."""
    return (TEMPLATES / "page.css").read_text(encoding="utf-8")
