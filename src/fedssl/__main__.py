"""`python -m fedssl`, where the command is not installed."""

from fedssl.command.main import app

app(prog_name="fedssl")
