"""Shell patterns, as Python's fnmatch takes them, in the words of SQLite's GLOB."""

from __future__ import annotations

import re

# As fnmatch reads it: a class needs its bracket, and one right after the beginning is part of it.
_CLASS = re.compile(r"\[(!?+)(\]?+[^\]]*)\]")


def glob(pattern: str) -> str:
    """Return the pattern for GLOB that matches the same.

    GLOB negates a class with "^" in place of "!", and a bracket that begins none matches nothing.
    """
    found, at = [], 0
    while at < len(pattern):
        if pattern[at] != "[":
            found.append(pattern[at])
            at += 1
        elif (match := _CLASS.match(pattern, at)) is None:
            found.append("[[]")
            at += 1
        else:
            found.append(_class(match[1], match[2]))
            at = match.end()
    return "".join(found)


def _class(negated: str, members: str) -> str:
    if not negated and members.startswith("^"):
        if not (others := members.rstrip("^")):
            return "^"
        # As the first it would negate the others, so one of them comes first and once more.
        members = others[-1] + members
    return f"[{'^' if negated else ''}{members}]"
