"""The `fedssl` command: what a reader or author of results asks, without running anything."""
