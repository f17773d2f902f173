"""Readers on thousands of damaged archives: the result is a bank or a clear error."""

import gzip
from collections import Counter
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.fuzzing import SEEDS, Damaged, Entry, packed, seed, survive, unpacked
from tests.unit.nasties import CONTENTS, NAMES, TAR_KINDS, ZIP_LIES

QUICK = settings(
    max_examples=40,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)
THOROUGH = settings(QUICK, max_examples=500, derandomize=False, print_blob=True)

_NUMBERS = [0, 1, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF]


@st.composite
def damage(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw `data` with one to three faults, more often near its ends, where headers are."""
    result = bytearray(data)
    for _ in range(draw(st.integers(1, 3))):
        size = max(len(result), 1)
        near = st.integers(0, min(size, 600) - 1)
        at = draw(st.one_of(st.integers(0, size - 1), near, near.map(size.__sub__)))
        kind = draw(st.sampled_from(["flip", "cut", "zero", "insert", "repeat", "number"]))
        span = draw(st.integers(1, 64))
        if kind == "flip":
            result[at : at + 1] = bytes([(*result[at : at + 1], 0)[0] ^ 1 << span % 8])
        elif kind == "cut":
            del result[at:]
        elif kind == "zero":
            result[at : at + span] = bytes(span)
        elif kind == "insert":
            result[at:at] = draw(st.binary(min_size=span, max_size=span))
        elif kind == "repeat":
            result[at:at] = result[at : at + span]
        else:
            order = draw(st.sampled_from(["little", "big"]))
            result[at : at + 4] = draw(st.sampled_from(_NUMBERS)).to_bytes(4, order)  # type: ignore[arg-type]
    return bytes(result)


@st.composite
def rearrangement(draw: st.DrawFn, data: bytes) -> bytes:
    """Draw a valid container of the same format as `data`, with one to three odd members."""
    members = unpacked(data)
    if members is None:  # a gzipped idx file, or one that is no container
        payload = gzip.decompress(data) if data[:2] == b"\x1f\x8b" else data
        changed = draw(damage(payload))
        return gzip.compress(changed, mtime=0) if payload is not data else changed
    for _ in range(draw(st.integers(1, 3))):
        if members:
            _rearrange(draw, members, is_zip=data[:2] == b"PK")
    return packed(members, data)


def _rearrange(draw: st.DrawFn, members: list[Entry], *, is_zip: bool) -> None:
    position = draw(st.integers(0, len(members) - 1))
    name, data, attributes = members[position]
    kind = draw(st.sampled_from(["name", "drop", "twice", "content", "damage", "attribute"]))
    if kind == "drop":
        del members[position]
    elif kind == "twice":
        members.append(draw(st.sampled_from([(name, data, {}), (name, b"", {})])))
    elif kind == "name":
        odd = draw(st.one_of(st.sampled_from(NAMES), st.text(max_size=20)))
        members[position] = (odd.replace("\0", "_"), data, attributes)
    elif kind == "content":
        members[position] = (name, CONTENTS[draw(st.sampled_from(sorted(CONTENTS)))], attributes)
    elif kind == "damage":
        members[position] = (name, draw(damage(data)), attributes)
    else:
        lies: list[dict[str, Any]] = ZIP_LIES if is_zip else TAR_KINDS
        members[position] = (name, data, draw(st.sampled_from(lies)))


@st.composite
def cases(draw: st.DrawFn, name: str) -> Damaged:
    """Draw one damaged file of a seed."""
    files = seed(name).files
    file = draw(st.sampled_from(sorted(files)))
    return Damaged({file: draw(st.one_of(damage(files[file]), rearrangement(files[file])))})


def hunt(name: str, how: settings) -> None:
    endings: Counter[str] = Counter()

    @how
    @given(cases(name))
    def case(damaged: Damaged) -> None:
        endings[survive(name, damaged)] += 1

    case()
    print(f"\n{name:16s} {sum(endings.values()):5d} cases  {dict(endings.most_common())}")
    assert endings["refused"] or endings["bad members"]


@pytest.mark.parametrize("name", SEEDS)
def test_no_seed_has_a_fault_of_its_own(name: str) -> None:
    assert survive(name, {}) == "bank"


@pytest.mark.parametrize("name", SEEDS)
def test_damage_is_listed_or_refused(name: str) -> None:
    hunt(name, QUICK)


@pytest.mark.slow
@pytest.mark.parametrize("name", SEEDS)
def test_much_damage_is_listed_or_refused(name: str) -> None:
    hunt(name, THOROUGH)
