"""Placeholders in SQL of a caller's own: `?` and `:name`, on every engine.

Each database has more of them, and each has others. What only one takes would work until the
store is another one, so none is taken.
"""

from __future__ import annotations

import functools
import re
from collections.abc import Mapping

from ..types.transaction import Parameters

# In this order: what no placeholder can be in comes first, so that its end is found.
_TOKENS = re.compile(
    r"""
      (?P<skipped>
          '(?:[^']|'')*(?:'|$)          # text
        | "(?:[^"]|"")*(?:"|$)          # names
        | `(?:[^`]|``)*(?:`|$)
        | \[[^\]]*(?:\]|$)
        | --[^\n]*
        | /\*.*?(?:\*/|$)
        | (?:[^\W\d]|_)[\w$]*           # words, which may have a $ within
        | \d[\w.]*                      # numbers
        | ::                            # a cast
      )
    | (?P<taken> :(?:[^\W\d]|_)\w* | \?(?!\d) )
    | (?P<refused> \?\d+ | [@$:][\w$]+ )
    """,
    re.VERBOSE | re.DOTALL,
)


# A longer text is mostly values, and not met again.
_KEPT_CHARACTERS = 2000


def wrong(sql: str, parameters: Parameters) -> str | None:
    """Return what is wrong with the placeholders of SQL for these parameters, None for nothing."""
    find = _wrong_again if type(sql) is str and len(sql) <= _KEPT_CHARACTERS else _wrong
    return find(sql, isinstance(parameters, Mapping))


def _wrong(sql: str, named: bool) -> str | None:
    for token in _TOKENS.finditer(sql):
        found = token[0]
        if token.lastgroup == "refused":
            return f"the placeholder {found} is not allowed: use ? with a list, :name with a dict"
        if token.lastgroup == "taken" and named == (found == "?"):
            given = "a dict" if named else "a list"
            return f"the placeholder {found} needs {'a list' if named else 'a dict'}, not {given}"
    return None


_wrong_again = functools.lru_cache(maxsize=128)(_wrong)
