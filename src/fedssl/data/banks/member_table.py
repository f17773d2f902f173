"""The members of a bank without their data: names, classes, splits, sizes and problems.

The index table and bank.json are written from this, and the declared counts are checked with it.
"""

import hashlib
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any

from fedssl.data.banks.bank import SAMPLE_RATE, Modality
from fedssl.data.banks.levels import Level, measure
from fedssl.data.samples import AbsentMember, BadMember, Decoded, Sample
from fedssl.errors import UserError

# A member as JSON: kind, name, class, split, and one to four details that depend on the kind.
MemberRow = list[Any]

_BAD_SHOWN = 5
_TWO_CLASSES = "its data is also in another class"


@dataclass
class MemberTable:
    """The samples of a bank in order, and the members that are bad or absent.

    `unverified` names declared counts that nobody has verified yet: "classes" or names of splits.
    """

    dataset: str
    unverified: Collection[str] = ()
    names: list[str] = field(default_factory=list)
    labels: list[str] = field(default_factory=list)
    splits: list[str] = field(default_factory=list)
    lengths: list[int] = field(default_factory=list)
    contents: list[int] = field(default_factory=list)
    levels: list[Level] = field(default_factory=list)
    bad: list[BadMember] = field(default_factory=list)
    absent: list[AbsentMember] = field(default_factory=list)
    notes: dict[str, list[str]] = field(default_factory=dict)
    image_shape: tuple[int, ...] = ()
    _seen: set[str] = field(default_factory=set)

    @property
    def classes(self) -> list[str]:
        """Sorted class names; a label is an index into them."""
        # Classes of absent members are included. Otherwise a label would depend on which clips of
        # VGGSound a user has obtained.
        return sorted({*self.labels, *(member.label for member in self.absent)})

    @property
    def members(self) -> int:
        """Number of members added so far, including bad and absent ones."""
        return len(self.names) + len(self.bad) + len(self.absent)

    def checked(self, member: Decoded) -> Decoded:
        """Return the member, or a BadMember if the sample does not fit into the bank."""
        if isinstance(member, Sample) and (reason := self._misfit(member)):
            return BadMember(member.name, member.label, member.split, reason)
        return member

    # Reasons and notes, here and in all readers, must be the same in every run and on every
    # machine: bank.json records them, and later jobs compare bank.json by its bytes. So they hold
    # no path and no text of a library.
    def _misfit(self, sample: Sample) -> str:
        shape = sample.data.shape
        if not sample.data.size:
            return "it holds no samples"
        if len(shape) > 1 and shape != (self.image_shape or shape):
            return f"its shape is {shape} where the first image's is {self.image_shape}"
        if sample.name in self._seen:
            return "another member has the same name"
        return "" if _is_text(sample.name + sample.label) else "its name or class is no UTF-8 text"

    def add(self, row: MemberRow) -> None:
        """Add a member, given as a row of `member_row` or of a partial bank."""
        kind, name, label, split, detail, *more = row
        if kind == "bad":
            self.bad.append(BadMember(name, label, split, detail))
        elif kind == "absent":
            self.absent.append(AbsentMember(name, label, split))
        else:
            self._seen.add(name)
            self.names.append(name)
            self.labels.append(label)
            self.splits.append(split)
            content, notes, *levels = more
            self.contents.append(content)
            self.levels += [Level(*level) for level in levels]
            for note in notes:
                self.notes.setdefault(note, []).append(name)
            # The shape of a waveform has one dimension, that of an image three. An image counts
            # as length 1, so that the sum of the lengths is the first axis of either array.
            self.lengths.append(detail[0] if len(detail) == 1 else 1)
            self.image_shape = tuple(detail) if len(detail) > 1 else ()

    def facts(self, modality: Modality) -> dict[str, Any]:
        """Return the part of bank.json that describes the members."""
        layout = (
            {"image_shape_hwc": list(self.image_shape)}
            if modality == "image"
            else {"sample_rate_hz": SAMPLE_RATE, "duration_s": sum(self.lengths) / SAMPLE_RATE}
        )
        return {
            "dataset": self.dataset,
            "classes": self.classes,
            "counts": dict(sorted(Counter(self.splits).items())),
            "bad": [{"name": bad.name, "reason": bad.reason} for bad in self.bad],
            "duplicates": self._duplicates(),
            **self._noted_facts(),
            **self._absent_facts(),
            **layout,
        }

    def _duplicates(self) -> dict[str, int]:
        """Return the number of samples per split whose content a training sample has, too."""
        samples = list(zip(self.splits, self.contents, strict=True))
        train = {content for split, content in samples if split == "train"}
        found = Counter(split for split, content in samples if content in train)
        return {split: n for split, n in sorted(found.items()) if split != "train"}

    def _noted_facts(self) -> dict[str, Any]:
        """Return note -> number of members and the first names, for bank.json."""
        notes = dict(self.notes)
        if names := self._in_two_classes():
            notes[_TWO_CLASSES] = names
        # Leave the key out if there is no note, as for absent members.
        if not notes:
            return {}
        found = {
            note: {"members": len(names), "first": names[:_BAD_SHOWN]}
            for note, names in sorted(notes.items())
        }
        return {"notes": found}

    def _in_two_classes(self) -> list[str]:
        """Return the names of samples whose data is also in another class."""
        first = dict(zip(reversed(self.contents), reversed(self.labels), strict=True))
        samples = list(zip(self.names, self.labels, self.contents, strict=True))
        twice = {content for _, label, content in samples if label != first[content]}
        return [name for name, _, content in samples if content in twice]

    def _absent_facts(self) -> dict[str, Any]:
        """Return the counts and names of absent members for bank.json."""
        # Leave the key out if no member is absent: it is part of the bank's digest, and most
        # datasets cannot have absent members.
        if not self.absent:
            return {}
        counts = Counter(member.split for member in self.absent)
        names = sorted(member.name for member in self.absent)
        return {"absent": {"counts": dict(sorted(counts.items())), "names": names}}

    def check_bad(self, max_bad_share: float) -> None:
        """Raise UserError if too many members are unreadable; absent members do not count."""
        total = len(self.names) + len(self.bad)
        if len(self.bad) > max_bad_share * total:
            shown = "; ".join(f"{bad.name}: {bad.reason}" for bad in self.bad[:_BAD_SHOWN])
            raise UserError(
                f"{len(self.bad)} of {total} members of {self.dataset} cannot be read; "
                f"max_bad_share allows a share of {max_bad_share}: {shown}"
            )

    def check_counts(self, counts: Mapping[str, int | None], *, num_classes: int | None) -> None:
        """Raise UserError if the splits or the number of classes differ from the declared ones.

        A count of None is not declared: any number of members matches it.
        """
        found = Counter(self.splits)
        found.update(bad.split for bad in self.bad if bad.split)
        found.update(member.split for member in self.absent)
        declared = {split: found[split] if n is None else n for split, n in counts.items()}
        if found != Counter(declared):
            raise UserError(
                f"the archives of {self.dataset} hold {_listed(found)} members, but its entry in "
                f"the datasets file declares {_listed(declared)}{self._unverified_note(*declared)}"
            )
        if empty := sorted(set(counts) - set(self.splits)):
            raise UserError(f"{self.dataset} has no readable member in {' and '.join(empty)}")
        known = {None, "", *self.classes}
        if lost := next((bad for bad in self.bad if bad.label not in known), None):
            raise UserError(
                f"{self.dataset} has no readable member of the class {lost.label}, for example "
                f"{lost.name}: {lost.reason}; mend its files, or remove the class"
            )
        if num_classes not in (None, len(self.classes)):
            raise UserError(
                f"the archives of {self.dataset} hold {len(self.classes)} classes, but its entry "
                f"in the datasets file declares {num_classes}{self._unverified_note('classes')}"
            )

    def _unverified_note(self, *counts: str) -> str:
        """Return a note for the message if a declared count is unverified, else ""."""
        # Some counts come from third parties, because the archive was not available to us.
        unverified = ", ".join(name for name in counts if name in self.unverified)
        if not unverified:
            return ""
        return f" (unverified: {unverified}); if the archives are whole, correct the entry"


def member_row(member: Decoded) -> MemberRow:
    """Return a member as a list for JSON: kind, name, class, split, and the details of the kind.

    These are the shape, a hash of the content, the notes and, for sound, the level of a sample, and
    the reason for a bad member.
    """
    entry = [member.name, member.label, member.split]
    if isinstance(member, Sample):
        details = [list(member.data.shape), _content_hash(member), [*member.notes]]
        level = [list(measure(member.data))] if member.data.ndim == 1 else []
        return ["sample", *entry, *details, *level]
    if isinstance(member, BadMember):
        return ["bad", *entry, member.reason]
    return ["absent", *entry, None]


def _content_hash(sample: Sample) -> int:
    """Return 64 bits of a hash of the decoded data, as a signed integer for Parquet."""
    # Of 10^6 different samples, two have the same hash with a probability of 3e-8.
    found = hashlib.blake2b(sample.data.tobytes(), digest_size=8).digest()
    return int.from_bytes(found, "little", signed=True)


def _listed(counts: Mapping[Any, int]) -> str:
    return ", ".join(f"{split} {count}" for split, count in sorted(counts.items())) or "no"


def _is_text(text: str) -> bool:
    # Names can hold surrogates, from bytes that are not UTF-8. Parquet cannot store them.
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
