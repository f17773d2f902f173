"""Find the web address of the repository, to which the page links commits and files."""

import re
import subprocess
from pathlib import Path

import yaml

_REMOTE = re.compile(r"(?:(?:https?|ssh)://(?:[^@/]*@)?|[\w.-]+@)([\w.-]+)(?::\d+)?[/:](.+)")


def repository_url(checkout: Path) -> str | None:
    """Return the address of the repository that CITATION.cff or git's remote names, if any."""
    citation = checkout / "CITATION.cff"
    if citation.is_file():
        named = yaml.safe_load(citation.read_text(encoding="utf-8")).get("repository-code")
        if named:
            return str(named).removesuffix("/")
    command = ["git", "-C", str(checkout), "config", "--get", "remote.origin.url"]
    try:
        remote = subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return None
    return browsable(remote)


def browsable(remote: str) -> str | None:
    """Return the web address of a git remote without user or password; None for a local path."""
    found = _REMOTE.fullmatch(remote)
    if found is None:
        return None
    host, path = found.groups()
    return f"https://{host}/{path.removesuffix('/').removesuffix('.git')}"
