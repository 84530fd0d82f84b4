"""Says of each answer whether it was right, and finds out what nobody was told.

A call whose answer nobody got was done whole, or not at all: the file says which. One that
was not there may come back while nothing was committed since, with the next recovery of
the WAL: its pages are in the file, and only its sync has failed.
"""

from __future__ import annotations

from collections import Counter
from contextlib import suppress
from pathlib import Path

from ...store.errors import FencepostError
from ..sqlite.look import Look, Seen, Unreadable
from .compare import differences, forget_swept
from .process import Call
from .reference import Reference
from .verdict import Broken

_WRONGLY_DONE = {
    "lease_lost": "stale-refused",
    "lease_held": "one-holder",
    "queue_full": "caps-hold",
    "limit_exceeded": "caps-hold",
}
_WRONGLY_REFUSED = {
    "lease_lost": "holder-not-refused",
    "lease_held": "holder-not-refused",
    "queue_full": "caps-hold",
    "limit_exceeded": "caps-hold",
}
# What the store may refuse because of what others did.
RULES = frozenset(_WRONGLY_DONE)

_WRONG_ANSWER = {
    "enqueue": "accepted-once",
    "claim": "lane-order",
    "ack_many": "stale-refused",
    "register_if_absent": "won-once",
    "acquire": "holder-knows",
    "renew": "holder-knows",
    "keep": "holder-knows",
    "hold_on": "holder-knows",
}

_OF_EACH_LOOK = ("nothing-lost", "nothing-unexpected", "effects-once", "caps-hold")


class Judge:
    """Holds the store against the reference.

    Attributes:
        model: The reference, as far as it is known what was done.
        checked: How often each invariant was looked at.
        now: The store's clock, kept up to date by the world. Right after a reboot, the time
            before it, if that was later: until then it was swept.
    """

    def __init__(self, path: str, effects: str) -> None:
        self.model = Reference()
        self.checked: Counter[str] = Counter()
        self.now = 0
        self._path = path
        self._effects = effects
        self._look: Look | None = None
        self._unsure: list[tuple[Call, int]] = []  # not there, and may come back
        self._left = b""  # the WAL with them

    def open(self) -> None:
        """Begin to look into the file."""
        self._look = Look(self._path, self._effects)

    def close(self) -> None:
        """Look no more."""
        if self._look is not None:
            self._look.close()
            self._look = None

    def went_on(self) -> None:
        """Forget what may come back once a later commit lies over it in the WAL.

        A call that had nothing to write leaves the WAL, and what is in there, as it was.
        """
        if self._unsure and self._wal() != self._left:
            self._unsure.clear()

    def answered(self, call: Call, at: int, got: object) -> None:
        """Judge an answer, which is an error when the call was refused.

        Raises:
            Broken: It is wrong.
        """
        self.checked[_WRONG_ANSWER.get(call.verb, "same-answer")] += 1
        wanted: object
        try:
            wanted = self._do(self.model, call, at, None if _code(got) else got)
        except FencepostError as error:
            wanted = error
            self.checked[_WRONGLY_DONE[error.code]] += 1
        said = f"{call.verb}{call.arguments} at {at}: {got!r}, not {wanted!r}"
        if (code := _code(wanted)) is not None and code != _code(got):
            raise Broken(_WRONGLY_DONE[code], said)
        if (code := _code(got)) is not None and code != _code(wanted):
            raise Broken(_WRONGLY_REFUSED[code], said)
        if code is None and wanted != got:
            raise Broken(_WRONG_ANSWER.get(call.verb, "same-answer"), said)

    def unanswered(self, call: Call, at: int) -> None:
        """Find out whether a call was done."""
        seen = self.see()
        if not differences(self.model, seen):
            self._unsure.append((call, at))
            self._left = self._wal()
        elif self._try(call, at):
            self._unsure.clear()
        else:
            self._report(f"after {call.verb}{call.arguments}, done or not")

    def ended(self, calls: list[tuple[Call, int]], *, rebooted: bool) -> None:
        """Find out which call was done, of those under way when all processes ended."""
        self.open()
        maybe = [*calls, *self._unsure]
        self._unsure = []
        for call, at in maybe:
            if self._try(call, at, rebooted=rebooted):
                return
        if rebooted:
            self._reboot(self.model)
        self.compare("after all had ended")

    def compare(self, when: str) -> None:
        """Hold the whole file against the model.

        Raises:
            Broken: It is not as it has to be.
        """
        if differences(self.model, self.see()):
            self._report(when)

    def _wal(self) -> bytes:
        with suppress(FileNotFoundError):
            return Path(self._path + "-wal").read_bytes()
        return b""

    def see(self) -> Seen:
        """Look into the file; what may be swept, and is gone, is forgotten."""
        for invariant in _OF_EACH_LOOK:
            self.checked[invariant] += 1
        seen = self._at()
        forget_swept(self.model, seen, self.now)
        return seen

    def _at(self) -> Seen:
        assert self._look is not None
        try:
            return self._look.at()
        except Unreadable as error:
            raise Broken("nothing-lost", f"the store cannot be read: {error}") from error

    def _do(self, model: Reference, call: Call, at: int, got: object) -> object:
        model.clock.now = at
        if got is not None:
            model.numbers.forget()
            if call.verb == "enqueue":
                assert isinstance(got, list)
                assert self._look is not None
                answered = dict.fromkeys(message for _, message in got)
                new = [message for message in answered if message not in model.tables.messages]
                model.numbers.made(new, map(self._look.delivery_of, new))
        answer: object = getattr(model, call.verb)(*call.arguments, got=got)
        return answer

    def _try(self, call: Call, at: int, *, rebooted: bool = False) -> bool:
        """Do a call in the reference, and leave it so if the file is then as it has to be."""
        model, seen = self.model.fork(), self._at()
        forget_swept(model, seen, self.now)
        model.numbers.seen(model.tables, seen)
        try:
            with suppress(FencepostError):  # what it found expired was taken back all the same
                self._do(model, call, at, None)
        except Broken:  # the file has no new fence for it
            return False
        if rebooted:
            self._reboot(model)
        forget_swept(model, seen, self.now)
        if differences(model, seen):
            return False
        self.model = model
        return True

    def _reboot(self, model: Reference) -> None:
        model.clock.now = self.now
        model.reboot()

    def _report(self, when: str) -> None:
        (invariant, what), *others = differences(self.model, self._at())
        raise Broken(invariant, f"{what} {when}", others)


def _code(answer: object) -> str | None:
    return answer.code if isinstance(answer, FencepostError) else None
