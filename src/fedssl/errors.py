"""The exceptions that are shown to users without a traceback, and the words for all others."""


class UserError(Exception):
    """A mistake in the user's input, files or environment.

    The message says what is wrong, where, the value that was found, and what would be right.
    """


def describe(error: BaseException) -> str:
    """Return an unexpected exception in one sentence, without the full stop."""
    if isinstance(error, OSError) and error.filename is not None:
        return f"{error.filename} cannot be read or written ({error.strerror})"
    if isinstance(error, MemoryError):
        return "memory ran out; allow the process more, for example with ulimit -v or --mem"
    said = " ".join(str(error).split())
    return f"{type(error).__name__}: {said}" if said else type(error).__name__


class DamagedFile(UserError, ValueError):
    """A file that its reader cannot read.

    It is a ValueError, too, for callers that go on without the file.
    """


class OutOfMemory(UserError):
    """A part of the job was killed, probably because memory ran out."""
