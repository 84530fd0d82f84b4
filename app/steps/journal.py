"""The steps of one attempt: which were asked for, and which were recorded before."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from ...store import Claim
from ...store.engine import Engine, Hold
from ...store.errors import LeaseLost, LimitExceeded, OutcomeUnknown
from ...store.rules.durable.steps import decide_step
from ...store.types.durable.step import MOST_BYTES, MOST_RECORDS, StepKind, StepRecord
from .errors import StepChanged

# A COMMIT of which nobody knows is repeated: the same record twice is one.
MOST_TRIES = 3


class Journal:
    """Gives each step its occurrence and its record, and writes new records.

    Attributes:
        stuck: What the attempt ends with, whatever the handler does from then on.
    """

    def __init__(self, claim: Claim, engine: Engine, code: str | None) -> None:
        self._claim = claim
        self._engine = engine
        self._code = code
        self._asked: Counter[str] = Counter()
        # Nothing can be recorded of a delivery that nobody has claimed before.
        known = engine.durable.steps.records(claim.id) if claim.hold.steps else []
        self._known = {(each.name, each.occurrence): each for each in known}
        self._last = max((each.number for each in known), default=0)
        self._bytes = sum(size(each) for each in known)
        self._unwritten: list[StepRecord] = []
        self.stuck: BaseException | None = None

    def asked(self, name: str) -> int:
        """Return how often a name was asked for in this attempt."""
        return self._asked[name]

    def known(self, name: str, occurrence: int) -> StepRecord | None:
        """Return the record of a step, None if it has none."""
        return self._known.get((name, occurrence))

    def ask(
        self,
        name: str,
        kinds: tuple[str, ...],
        sha256: bytes | None = None,
        arguments: str | None = None,
    ) -> tuple[int, StepRecord | None]:
        """Return the occurrence of a step that is asked for now, and its record if it has one.

        Raises:
            StepChanged: It was recorded as something else; the attempt ends with that.
        """
        self._asked[name] += 1
        occurrence = self._asked[name]
        found = self._known.get((name, occurrence))
        if decide_step(found, kinds=kinds, sha256=sha256) == "changed":
            assert found is not None
            self.stuck = StepChanged(
                name,
                occurrence,
                recorded=_shown(found.kind, found.arguments),
                given=_shown(kinds[0], arguments),
                code_then=found.code,
                code_now=self._code,
                path=self._engine.identity.address,
            )
            raise self.stuck
        return occurrence, found

    def new(
        self,
        name: str,
        occurrence: int,
        kind: StepKind,
        outcome: str | bytes | None,
        sha256: bytes | None = None,
        arguments: str | None = None,
    ) -> StepRecord:
        """Return a record to be written, with the next number.

        Raises:
            LimitExceeded: The delivery has too many, or too much in them; the attempt ends with
                that.
        """
        record = StepRecord(
            self._last + 1,
            name,
            occurrence,
            kind,
            sha256,
            arguments,
            outcome,
            self._claim.fence,
            self._code,
        )
        if record.number > MOST_RECORDS:
            raise self.full(f"a delivery has at most {MOST_RECORDS} recorded steps and sleeps")
        if self._bytes + size(record) > MOST_BYTES:
            raise self.full(f"the recorded steps of a delivery have at most {MOST_BYTES} bytes")
        self._last += 1
        self._bytes += size(record)
        self._known[name, occurrence] = record
        return record

    def full(self, why: str) -> LimitExceeded:
        """Return what the attempt ends with: another one would come to the same bound."""
        self.stuck = LimitExceeded(why, operation="step", path=self._engine.identity.address)
        return self.stuck

    def undo(self, record: StepRecord) -> None:
        """Take back the newest record, which was not written."""
        self._last -= 1
        self._bytes -= size(record)
        del self._known[record.name, record.occurrence]

    def later(self, record: StepRecord) -> None:
        """Have a record written with the next one, or before the next step's function runs."""
        self._unwritten.append(record)

    def take(self, *records: StepRecord) -> list[StepRecord]:
        """Return what is to be written now, these records last."""
        unwritten, self._unwritten = self._unwritten, []
        self.mark()
        return [*unwritten, *records]

    def mark(self) -> None:
        """Have the records deleted when the delivery is done."""
        self._claim.note_steps()

    def flush(self) -> None:
        """Write what waits for the next record."""
        if self._unwritten:
            self.mark()
            self.write(self._unwritten)
            self._unwritten = []  # not before: the next step tries again what was refused

    def write(self, records: Iterable[StepRecord]) -> None:
        """Write records in one commit.

        Raises:
            LeaseLost: The claim does not hold any more.
            StoreBusy, StoreFull, StoreFailed, OutcomeUnknown.
        """
        hold = self._claim.hold
        for refused in write_records(self._engine, [(hold, each) for each in records]):
            if refused is not None:
                raise refused

    def is_there(self, record: StepRecord) -> bool:
        """True when a record was written after all."""
        return any(
            (each.number, each.fence) == (record.number, record.fence)
            for each in self._engine.durable.steps.records(self._claim.id)
        )


def write_records(engine: Engine, entries: list[tuple[Hold, StepRecord]]) -> list[LeaseLost | None]:
    """Write records in one commit, once more when nobody knows whether it is there."""
    for _ in range(MOST_TRIES - 1):
        try:
            return engine.durable.steps.record(entries)
        except OutcomeUnknown:
            continue
    return engine.durable.steps.record(entries)


def size(record: StepRecord) -> int:
    """Return what a record counts for among those of its delivery, in bytes."""
    outcome = record.outcome or ""
    return len(outcome if isinstance(outcome, bytes) else outcome.encode())


def _shown(kind: str, arguments: str | None) -> str:
    return arguments or "no arguments" if kind in ("call", "error") else f"a {kind}"
