"""Write the JSON schemas and the settings reference: `python -m fedssl.schema`."""

from fedssl.schema.reference import CONFIG, PAGES, with_reference
from fedssl.schema.write import write_schemas

write_schemas(CONFIG / "schemas")
for page in PAGES.glob("*.md"):
    page.write_text(with_reference(page.read_text(encoding="utf-8")), encoding="utf-8")
