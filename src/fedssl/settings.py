"""Types that settings are declared with: a range, and a unit where there is one.

A part (an aggregator, a method, an encoder, a protocol) declares its settings as the fields of a
frozen dataclass, with a docstring below each field. Validation, the JSON schema and the settings
reference are made from these declarations. This module imports neither torch nor pydantic, so
that planning a run stays fast.
"""

from typing import Annotated

from annotated_types import Ge, Gt, Le, Lt

Share = Annotated[float, Ge(0.0), Le(1.0)]
"""A number from 0 to 1."""

Momentum = Annotated[float, Ge(0.0), Lt(1.0)]
"""The factor of a moving average, from 0 to below 1."""

Positive = Annotated[float, Gt(0.0)]
"""A number above 0."""

NonNegative = Annotated[float, Ge(0.0)]
"""A number that is 0 or more."""

Count = Annotated[int, Ge(1)]
"""A whole number that is 1 or more."""

Rounds = Annotated[int, Ge(0)]
"""A number of rounds, 0 or more."""

Cosine = Annotated[float, Ge(-1.0), Le(1.0)]
"""The cosine of an angle, from -1 to 1."""

DropoutRate = Annotated[float, Ge(0.0), Lt(1.0)]
"""The share of units that a step leaves out, from 0 to below 1."""

Clips = Annotated[int, Ge(2), Le(4)]
"""A number of clips to put in order: 2 to 4, of which there are 2 to 24 orders."""
