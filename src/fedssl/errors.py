"""The exceptions that are shown to users without a traceback."""


class UserError(Exception):
    """A mistake in the user's input, files or environment.

    The message says what is wrong, where, the value that was found, and what would be right.
    """


class OutOfMemory(UserError):
    """A part of the job was killed, probably because memory ran out."""
