"""The one exception a user is meant to read."""


class UserError(Exception):
    """A mistake in what was given: says what was wrong, the value, and what would be right."""
