"""Types that settings are declared with: a range, and a unit where there is one.

A part (an aggregator, a method, an encoder, a protocol) declares its settings as the fields of a
frozen dataclass, with a docstring below each field. Validation, the JSON schema and the settings
reference are made from these declarations (`fedssl.grid.forms`). This module imports neither
torch nor pydantic, so that planning a run stays fast.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Literal

from annotated_types import Ge, Gt, Le, Lt, MinLen


@dataclass(frozen=True)
class Key:
    """The key of a field in the configuration, where it is not the field's name."""

    name: str


@dataclass(frozen=True)
class Pattern:
    """Text that matches a regular expression; `says` completes "it must be ..."."""

    regex: str
    says: str


@dataclass(frozen=True)
class Unique:
    """A list without repetitions."""


@dataclass(frozen=True)
class Check:
    """A condition that plain data must meet; `says` completes "it must be ..."."""

    holds: Callable[[Any], bool]
    says: str


@dataclass(frozen=True)
class Absent:
    """A key that must not be there; `says` why, after "it must be absent: "."""

    says: str


@dataclass(frozen=True)
class Choice:
    """Which of a union's types plain data has: `of` returns the place of the type in the union."""

    of: Callable[[Any], int]


@dataclass(frozen=True)
class Partial:
    """Settings that may be incomplete: each given value replaces the default or inherited one."""


Share = Annotated[float, Ge(0.0), Le(1.0)]
"""A number from 0 to 1."""

PositiveShare = Annotated[float, Gt(0.0), Le(1.0)]
"""A number above 0 and up to 1."""

InnerShare = Annotated[float, Gt(0.0), Lt(1.0)]
"""A number between 0 and 1."""

Momentum = Annotated[float, Ge(0.0), Lt(1.0)]
"""The factor of a moving average, from 0 to below 1."""

Positive = Annotated[float, Gt(0.0)]
"""A number above 0."""

NonNegative = Annotated[float, Ge(0.0)]
"""A number that is 0 or more."""

Count = Annotated[int, Ge(1)]
"""A whole number that is 1 or more."""

AtLeastTwo = Annotated[int, Ge(2)]
"""A whole number that is 2 or more, such as the size of a batch that batch norm can take."""

Natural = Annotated[int, Ge(0)]
"""A whole number that is 0 or more."""

Rounds = Annotated[int, Ge(0)]
"""A number of rounds, 0 or more."""

Cosine = Annotated[float, Ge(-1.0), Le(1.0)]
"""The cosine of an angle, from -1 to 1."""

DropoutRate = Annotated[float, Ge(0.0), Lt(1.0)]
"""The share of units that a step leaves out, from 0 to below 1."""

Clips = Annotated[int, Ge(2), Le(4)]
"""A number of clips to put in order, 2 to 4; they have 2 to 24 possible orders."""

Text = Annotated[str, MinLen(1)]
"""Text that is not empty."""

Word = Annotated[
    str, Pattern(r"^[a-z0-9][a-z0-9.-]*$", "lower-case letters, digits, hyphens and dots")
]
"""A name that is part of a path."""

HyphenatedName = Annotated[
    str, Pattern(r"^[a-z0-9]+(-[a-z0-9]+)*$", "lower-case letters, digits and single hyphens")
]
"""A name of words that hyphens separate."""

Pair = tuple[NonNegative, NonNegative]
"""The lowest and the highest value of a random draw."""

Precision = Literal["fp32", "tf32", "bf16"]
"""Arithmetic of training."""

Modality = Literal["image", "audio"]
"""What a sample is."""

Address = Annotated[str, Pattern(r"^https?://", "an http or https address")]
"""An address on the web."""
