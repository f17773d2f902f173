"""Write the JSON schemas and the settings reference: `python -m fedssl.schema`."""

from fedssl.schema.reference import CONFIG, README, with_reference
from fedssl.schema.write import write_schemas

write_schemas(CONFIG / "schemas")
README.write_text(with_reference(README.read_text(encoding="utf-8")), encoding="utf-8")
