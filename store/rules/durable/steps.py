"""Whether a step is run, replayed or refused."""

from __future__ import annotations

from typing import Literal

from ...types.durable.step import StepRecord


def decide_step(
    found: StepRecord | None, *, kinds: tuple[str, ...], sha256: bytes | None
) -> Literal["run", "replay", "changed"]:
    """Decide by what is recorded of a name and occurrence.

    Args:
        kinds: Of a record that the caller would have made.
        sha256: Of the arguments that it is asked for with.
    """
    if found is None:
        return "run"
    same = found.kind in kinds and found.arguments_sha256 == sha256
    return "replay" if same else "changed"
