"""The vocabulary in which settings are declared: number ranges, named types and constraints.

The settings of a package or of a part (an aggregator, a method, an encoder) are the fields of a
frozen dataclass, each with a docstring below it. Validation, the JSON schemas and the tables of
docs/reference/settings are made from these declarations; see `fedssl.grid.forms`.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal, get_args

from annotated_types import Ge, Gt, Le, Lt, MinLen

# The methods called `__get_pydantic_...` are pydantic's protocol for annotations. They import
# pydantic when they are called: jobs import this module too and must not wait for pydantic.


@dataclass(frozen=True)
class Check:
    """A condition that a value must meet.

    Attributes:
        holds: returns whether a value meets the condition.
        says: completes the message "it must be ...".
        schema: entries that express the condition in JSON schema.
    """

    holds: Callable[[Any], bool]
    says: str
    schema: dict[str, Any] = field(default_factory=dict, hash=False)

    def __get_pydantic_core_schema__(self, kind: Any, handler: Any) -> Any:
        """Validate the type first, then the condition."""
        from pydantic_core import PydanticCustomError, core_schema

        def check(value: Any) -> Any:
            if not self.holds(value):
                raise PydanticCustomError("check", f"Input should be {self.says}")
            return value

        return core_schema.no_info_after_validator_function(check, handler(kind))

    def __get_pydantic_json_schema__(self, core: Any, handler: Any) -> dict[str, Any]:
        """Add the entries of the condition to the JSON schema of the type."""
        return {**handler(core), **self.schema}


def Pattern(regex: str, says: str) -> Check:
    """Return the condition that text matches a regular expression."""
    # In Python, unlike in JSON schema, $ also matches before a newline at the end.
    found = re.compile(regex.replace("$", r"\Z")).search
    return Check(lambda text: found(text) is not None, says, {"pattern": regex})


def Unique() -> Check:
    """Return the condition that a list has no repetitions."""

    # Items may be lists or mappings, so a set cannot find the repetitions.
    def holds(items: Any) -> bool:
        return all(item not in items[:place] for place, item in enumerate(items))

    return Check(holds, "a list without repetitions", {"uniqueItems": True})


def Absent(why: str) -> Check:
    """Return the condition that a key is missing; the message gives the reason."""
    return Check(lambda _: False, f"absent: {why}", {"not": {}})


@dataclass(frozen=True)
class Choice:
    """Choose one type of a union: `of` returns its position for a value.

    Without it, pydantic would try all types and report the mistakes of each.
    """

    of: Callable[[Any], int]

    def __get_pydantic_core_schema__(self, kind: Any, handler: Any) -> Any:
        """Validate a value as the chosen type only."""
        from pydantic_core import core_schema

        def tag(value: Any) -> str:
            # pydantic adds the tag to the place of an error; the brackets tell it from a key.
            try:
                return f"<{self.of(value)}>"
            except TypeError:  # not even a mapping: the first type says what it should be
                return "<0>"

        choices = {f"<{n}>": handler.generate_schema(t) for n, t in enumerate(get_args(kind))}
        return core_schema.tagged_union_schema(choices, tag)


@dataclass(frozen=True)
class Made:
    """Validate a value as the type that `of` returns.

    `of` runs when a form is made. A declaration can then refer to the parts that exist (methods,
    encoders, aggregators), and importing it imports none of them.
    """

    of: Callable[[], Any]

    def __get_pydantic_core_schema__(self, kind: Any, handler: Any) -> Any:
        """Validate as the type that is made now."""
        return handler.generate_schema(self.of())


@dataclass(frozen=True)
class Key:
    """The key of a field in the configuration, if it differs from the field's name."""

    name: str


@dataclass(frozen=True)
class Partial:
    """Settings that override others: every key may be missing."""


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

Scale = Annotated[float, Ge(1e-6), Le(1e9)]
"""A factor or a norm by which numbers are scaled."""

NonNegative = Annotated[float, Ge(0.0)]
"""A number that is 0 or more."""

Count = Annotated[int, Ge(1), Le(10**12)]
"""A whole number that is 1 or more."""

AtLeastTwo = Annotated[int, Ge(2), Le(10**12)]
"""A whole number that is 2 or more, such as the size of a batch that batch norm can take."""

Natural = Annotated[int, Ge(0), Le(10**12)]
"""A whole number that is 0 or more."""

Rounds = Annotated[int, Ge(0), Le(1_000_000)]
"""A number of rounds, 0 or more."""

Cosine = Annotated[float, Ge(-1.0), Le(1.0)]
"""The cosine of an angle, from -1 to 1."""

DropoutRate = Annotated[float, Ge(0.0), Lt(1.0)]
"""The share of units that a step leaves out, or of clients that leave, from 0 to below 1."""

TrimmedShare = Annotated[float, Ge(0.0), Lt(0.5)]
"""The share that a trimmed mean cuts off at each end, from 0 to below a half."""

Clips = Annotated[int, Ge(2), Le(4)]
"""A number of clips to put in order, 2 to 4; they have 2 to 24 possible orders."""

Text = Annotated[str, MinLen(1)]
"""Text that is not empty."""

Word = Annotated[
    str,
    Pattern(r"^[a-z0-9][a-z0-9.-]{0,59}$", "up to 60 lower-case letters, digits, hyphens and dots"),
]
"""A name that is part of a path."""

HyphenatedName = Annotated[
    str,
    Pattern(
        r"^(?=.{1,60}$)[a-z0-9]+(-[a-z0-9]+)*$",
        "up to 60 lower-case letters, digits and single hyphens",
    ),
]
"""A name of words that hyphens separate."""

_Ordered = Check(lambda pair: pair[0] <= pair[1], "two numbers, the lower one first")

Sigma = Annotated[float, Ge(0.0), Le(1000.0)]
"""The standard deviation of a blur in pixels."""

Pair = Annotated[tuple[Sigma, Sigma], _Ordered]
"""The lowest and the highest value of a random draw."""

CropShare = Annotated[float, Ge(0.01), Le(1.0)]
"""The share of an axis or area that a crop keeps; smaller ones would keep no pixel."""

Shares = Annotated[tuple[CropShare, CropShare], _Ordered]
"""The lowest and the highest share of a random draw, above 0."""

Threads = Annotated[int, Ge(1), Le(1024)]
"""A number of threads."""

Pixels = Annotated[int, Ge(8), Le(4096)]
"""The width and height of a square image."""

# The limits below are far from any sensible value. Beyond them float32 overflows or rounds to 0, or
# a job would need more memory or time than there is: the number is a slip of the keyboard.

LearningRate = Annotated[float, Ge(1e-12), Le(1000.0)]
"""A learning rate."""

Temperature = Annotated[float, Ge(1e-6), Le(1e6)]
"""The temperature of a softmax."""

WeightDecay = Annotated[float, Ge(0.0), Le(1000.0)]
"""The factor of an L2 penalty."""

LossWeight = Annotated[float, Ge(0.0), Le(1e6)]
"""The weight of a term of a loss."""

DecayFactor = Annotated[float, Gt(0.0), Le(1.0)]
"""The factor by which a learning rate drops."""

Epochs = Annotated[int, Ge(1), Le(1_000_000)]
"""A number of epochs or rounds of training."""

BatchSize = Annotated[int, Ge(2), Le(1_000_000)]
"""A number of samples in a batch; batch norm needs two."""

Width = Annotated[int, Ge(1), Le(65_536)]
"""A number of units of a layer."""

FrameLength = Annotated[int, Ge(1), Le(1_000_000)]
"""A number of sound samples or of frequencies."""

Seconds = Annotated[float, Ge(0.0), Le(600.0)]
"""A duration within a recording."""

ClipSeconds = Annotated[float, Ge(0.01), Le(600.0)]
"""The length of a clip of a recording."""

Seed = Annotated[int, Ge(0), Le(4_294_967_295)]
"""The seed of a random generator."""

Megabytes = Annotated[int, Ge(500), Le(1_000_000_000)]
"""An amount of memory in MB; less than 500 is most likely a number of GB."""

Precision = Literal["fp32", "tf32", "bf16"]
"""Arithmetic of training."""

Modality = Literal["image", "audio"]
SoundType = Literal["int16", "float32"]
"""What a sample is."""

Address = Annotated[str, Pattern(r"^https?://", "an http or https address")]
"""An address on the web."""
