"""Write a table as a small HTML page, which `snakemake --report` shows in place.

Snakemake's report can only offer CSV and Markdown files for download.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from fedssl.paper.text_table import TextTable

# In the code and not in a file: the digests of a rule's code do not cover templates.
_PAGE = """\
<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="color-scheme" content="light dark">
<title>{{ table.title }}</title>
<style>
body { font: 15px/1.45 system-ui, "DejaVu Sans", sans-serif; margin: 1rem 1.5rem; }
h1 { font-size: 1.1rem; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; }
th, td { padding: .3rem .7rem; text-align: right; border-top: 1px solid #8884; }
th:first-child { text-align: left; }
thead th { position: sticky; top: 0; background: Canvas; border-top: 0; vertical-align: bottom; }
tbody th { font-weight: 600; white-space: nowrap; }
tfoot th, tfoot td, p { font-weight: 400; font-size: .85rem; opacity: .8; }
</style>
</head>
<body>
<h1>{{ table.title }}</h1>
<table>
<thead><tr>{% for name in table.header %}<th scope="col">{{ name }}</th>{% endfor %}</tr></thead>
{% for part, rows in (("tbody", table.rows), ("tfoot", table.footers)) if rows %}
<{{ part }}>
{% for row in rows %}
<tr><th scope="row">{{ row[0] }}</th>{% for text in row[1:] %}<td>{{ text }}</td>{% endfor %}</tr>
{% endfor %}
</{{ part }}>
{% endfor %}
</table>
{% for note in table.notes %}
<p>{{ note }}</p>
{% endfor %}
</body>
</html>
"""


def to_html(table: TextTable) -> str:
    """Return a page with the title, the table and the notes; all texts are escaped."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.from_string(_PAGE).render(table=table) + "\n"
