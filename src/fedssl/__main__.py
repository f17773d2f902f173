"""Run the `fedssl` command without installing it: `python -m fedssl`."""

from fedssl.command.main import app

app(prog_name="fedssl")
