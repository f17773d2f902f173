"""Modality splits: the percentage of clients with each modality (fssuavl section 5)."""

import re
from dataclasses import dataclass

from fedssl.errors import UserError

MODALITIES = ("image", "audio")
_SPLIT = re.compile(r"a(\d{1,3})-i(\d{1,3})-b(\d{1,3})")


@dataclass(frozen=True)
class Split:
    """A modality split: percent of the clients with audio only, image only, and both."""

    audio: int
    image: int
    both: int

    def uses(self, modality: str) -> bool:
        """Return whether any client has this modality."""
        return self.both > 0 or {"audio": self.audio, "image": self.image}[modality] > 0

    @property
    def modalities(self) -> tuple[str, ...]:
        """The modalities that any client has, image first."""
        return tuple(modality for modality in MODALITIES if self.uses(modality))


def parse_split(text: str) -> Split:
    """Return the split `a{x}-i{y}-b{z}`.

    Raises:
        UserError: The text has another form, or the three percentages do not sum to 100.
    """
    match = _SPLIT.fullmatch(text)
    if match is None:
        raise UserError(f"split {text!r} is not a{{x}}-i{{y}}-b{{z}}, for example a33-i33-b34.")
    split = Split(*map(int, match.groups()))
    total = split.audio + split.image + split.both
    if total != 100:
        raise UserError(f"split {text!r} sums to {total} percent of the clients; it must be 100.")
    return split
