"""Steps of a command: `fencepost step NAME -- COMMAND` in a process that it has started.

The worker makes a folder for each attempt, and passes what proves its claim by a descriptor that
the command and its processes inherit. No environment variable has it: others can read those.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from ...linux.memfd import memfd
from ...store import Store
from ...store.errors import InvalidInput, LeaseLost, LimitExceeded
from ...store.rules.durable.steps import decide_step
from ...store.types.durable.step import MOST_BYTES, MOST_RECORDS, StepRecord
from ..steps import outcome
from ..steps.calls.fingerprint import fingerprint
from ..steps.errors import StepChanged
from ..steps.guard import check_name
from ..steps.journal import size, write_records
from ..steps.proof import Proof
from .child import PROOF_FD

# Source: sysexits.h, EX_TEMPFAIL.
LOST = 75
# As a handler's: the delivery is dead.
DEAD = 100

# As a shell's: there is no such command, or it is none.
NOT_FOUND = 127
NOT_RUN = 126

_STUCK = "stuck"


@dataclass(frozen=True, slots=True)
class Attempted:
    """The attempt at a command, for the steps in it."""

    folder: Path
    fd: int

    @property
    def has_steps(self) -> bool:
        """True if a step was asked for."""
        return any(self.folder.iterdir())

    @property
    def stuck(self) -> str | None:
        """Why the delivery is dead, whatever the command's exit code is."""
        with contextlib.suppress(FileNotFoundError):
            return (self.folder / _STUCK).read_text()
        return None


@contextlib.contextmanager
def attempted(proof: Callable[[str], Proof]) -> Iterator[Attempted]:
    """Make the folder of an attempt and the descriptor for its command; both go at the end."""
    folder = tempfile.mkdtemp(prefix="fencepost-")  # 0700
    try:
        with memfd(msgspec.json.encode(proof(folder))) as fd:
            yield Attempted(Path(folder), fd)
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def read_proof() -> Proof:
    """Return what the worker has passed to the command that this process is in.

    Raises:
        InvalidInput: It is in none.
    """
    try:
        size = os.fstat(PROOF_FD).st_size
        return msgspec.json.decode(os.pread(PROOF_FD, size, 0), type=Proof)
    except (OSError, msgspec.DecodeError) as error:
        raise InvalidInput(
            "fencepost step runs in a command handler, which keeps descriptor 3 open for it",
            operation="step",
        ) from error


def run_step(store: Store, proof: Proof, name: str, command: Sequence[str]) -> int:
    """Run a command once, print its recorded stdout, and return the exit code.

    Its code if it fails, or 127 or 126 if it cannot be run; 75 when the claim is lost, and 100
    when the delivery is dead.
    """
    check_name(name)
    occurrence = _occurrence(Path(proof.folder), name)
    sha256, arguments = fingerprint(tuple(command), {})
    steps, known = store.engine.durable.steps, _known(store, proof)
    found = known.get((name, occurrence))
    what = decide_step(found, kinds=("call",), sha256=sha256)
    if found is not None and what == "replay":
        return _print(found)
    if found is not None:
        changed = StepChanged(
            name,
            occurrence,
            recorded=found.arguments or f"a {found.kind}",
            given=arguments,
            code_then=found.code,
            code_now=proof.code,
        )
        return _stick(proof, str(changed))
    if not steps.holds(proof.hold):
        return _lost(name)
    try:
        code, said = _run(command)
    except OSError as error:
        print(f"step {name!r} cannot run {command[0]}: {error.strerror}", file=sys.stderr)
        return NOT_FOUND if isinstance(error, FileNotFoundError) else NOT_RUN
    if code:
        return code if code > 0 else 128 - code
    try:
        encoded = outcome.encode(_said(said))
    except (InvalidInput, LimitExceeded) as error:
        return _stick(
            proof, f"step {name!r} ran, and what it has printed could not be kept: {error}"
        )
    new = StepRecord(
        0, name, occurrence, "call", sha256, arguments, encoded, proof.fence, proof.code
    )
    return _record(store, proof, new)


def _run(command: Sequence[str]) -> tuple[int, bytes]:
    """Return its exit code and its stdout: no more than it takes to see that it is too long.

    Raises:
        OSError: It cannot be run.
    """
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            said = process.stdout.read(outcome.MOST_BYTES + 1)
            while process.stdout.read(65_536):
                pass  # it may end all the same
        except BaseException:
            process.kill()
            raise
    return process.returncode, said


def _record(store: Store, proof: Proof, new: StepRecord) -> int:
    """Write a record in the next free place: several steps may run side by side."""
    while True:
        known = _known(store, proof).values()
        number = max((each.number for each in known), default=0) + 1
        if number > MOST_RECORDS:
            return _stick(proof, f"a delivery has at most {MOST_RECORDS} recorded steps")
        if sum(map(size, known)) + size(new) > MOST_BYTES:
            return _stick(
                proof, f"the recorded steps of a delivery have at most {MOST_BYTES} bytes"
            )
        record = msgspec.structs.replace(new, number=number)
        (refused,) = write_records(store.engine, [(proof.hold, record)])
        if refused is None:
            return _print(record)
        if not store.engine.durable.steps.holds(proof.hold):
            return _lost(new.name)


def _known(store: Store, proof: Proof) -> dict[tuple[str, int], StepRecord]:
    records = store.engine.durable.steps.records(proof.delivery)
    return {(each.name, each.occurrence): each for each in records}


def _occurrence(folder: Path, name: str) -> int:
    """Return how often a name was asked for in this attempt; each process gets its own number."""
    stem = hashlib.sha256(name.encode()).hexdigest()
    occurrence = 1
    while True:
        try:
            os.close(os.open(folder / f"{stem}-{occurrence}", os.O_CREAT | os.O_EXCL, 0o600))
        except FileExistsError:
            occurrence += 1
        except OSError as error:
            raise LeaseLost(f"the attempt at {name!r}", cause="superseded") from error
        else:
            return occurrence


def _said(stdout: bytes) -> str | bytes:
    """Return text as it is, and as bytes what is none or too long."""
    try:
        text = stdout.decode()
    except UnicodeDecodeError:
        return stdout
    fits = len(json.dumps(text, ensure_ascii=False).encode()) <= outcome.MOST_JSON_BYTES
    return text if fits else stdout


def _print(record: StepRecord) -> int:
    said: Any = outcome.decode(record.outcome)
    sys.stdout.buffer.write(said if isinstance(said, bytes) else str(said).encode())
    sys.stdout.buffer.flush()
    return 0


def _stick(proof: Proof, why: str) -> int:
    (Path(proof.folder) / _STUCK).write_text(why)
    print(why, file=sys.stderr)
    return DEAD


def _lost(name: str) -> int:
    print(f"step {name!r}: another worker has the delivery", file=sys.stderr)
    return LOST
