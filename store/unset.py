"""The default of an option that stays as it was recorded when nobody gives it."""

from __future__ import annotations

import enum
from typing import Final


class Unset(enum.Enum):
    """Its one member is UNSET."""

    UNSET = enum.auto()


UNSET: Final = Unset.UNSET
