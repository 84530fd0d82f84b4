"""The main job, end to end: `make demo`.

Starts `fencepost up examples/github.py`, sends it 1,000 webhooks signed as GitHub signs
them, a third of them redeliveries, kills one worker half-way, and counts what the
handlers wrote. Exits with 0 only when every accepted message was handled exactly once.
"""

from __future__ import annotations

import hashlib
import hmac
import http.client
import json
import os
import queue
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import uuid
from collections import Counter
from pathlib import Path
from urllib.parse import urlsplit

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

import fencepost

SENT = 1_000
UNIQUE = 667
SENDERS = 8
WORKERS = 4
PATIENCE_SECONDS = 60
SECRET = "it's a secret to everybody"

APP = Path(__file__).with_name("github.py")
FENCEPOST = [sys.executable, "-m", "fencepost"]


def main() -> int:
    """Run the demo; return the exit code."""
    with tempfile.TemporaryDirectory(prefix="fencepost-demo-") as folder:
        store = str(Path(folder, "github.db"))
        environment = {**os.environ, "GITHUB_WEBHOOK_SECRET": SECRET, "FENCEPOST_STORE": store}
        with Path(folder, "log").open("w+") as log:
            up = subprocess.Popen(
                [*FENCEPOST, "up", str(APP), "--workers", str(WORKERS), "--port", "0"],
                env=environment,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
            )
            failed = True
            try:
                failed = not run(up, store, environment)
            finally:
                up.kill()
                up.wait()
                if failed:
                    log.seek(0)
                    sys.stderr.write(log.read())
            return int(failed)


def run(up: subprocess.Popen[str], store: str, environment: dict[str, str]) -> bool:
    """Send, kill, wait, count, print; return whether all went as it should."""
    assert up.stdout is not None
    announced = up.stdout.readline()
    address = urlsplit(announced.split()[2])
    print(announced, end="", flush=True)
    deliveries: queue.SimpleQueue[str] = queue.SimpleQueue()
    for key in shuffled_keys():
        deliveries.put(key)
    answers: list[tuple[str, str]] = []
    senders = [
        threading.Thread(target=send, args=(address.netloc, deliveries, answers))
        for _ in range(SENDERS)
    ]
    started = time.monotonic()
    killed = 0
    with Progress(
        TextColumn("{task.description:>8}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    ) as progress:
        sent = progress.add_task("sent", total=SENT)
        handled = progress.add_task("handled", total=UNIQUE)
        for sender in senders:
            sender.start()
        deadline = started + PATIENCE_SECONDS
        rows: Counter[str] = Counter()
        while (len(answers) < SENT or len(rows) < UNIQUE) and time.monotonic() < deadline:
            time.sleep(0.02)
            if not killed and len(answers) >= SENT // 2:
                killed = kill_a_worker(environment)
                progress.console.print(f"killed worker process {killed} with SIGKILL")
            rows = handled_rows(store)
            progress.update(sent, completed=len(answers))
            progress.update(handled, completed=len(rows))
        seconds = time.monotonic() - started
    for sender in senders:
        sender.join()
    up.send_signal(signal.SIGTERM)
    stopped = up.wait(timeout=30)
    return report(answers, handled_rows(store), seconds, clean=stopped == 0 and killed > 0)


def shuffled_keys() -> list[str]:
    """Return the delivery ids to send, in an order as if every sender retried at will."""
    keys = [str(uuid.uuid4()) for _ in range(UNIQUE)]
    sent = keys + random.sample(keys, SENT - UNIQUE)
    random.shuffle(sent)
    return sent


def send(netloc: str, deliveries: queue.SimpleQueue[str], answers: list[tuple[str, str]]) -> None:
    """Post deliveries until none is left; note the status that each was answered."""
    connection = http.client.HTTPConnection(netloc, timeout=30)
    while True:
        try:
            key = deliveries.get_nowait()
        except queue.Empty:
            connection.close()
            return
        body = payload(key)
        signature = hmac.new(SECRET.encode(), body, hashlib.sha256).hexdigest()
        headers = {
            "Content-Type": "application/json",
            "X-GitHub-Event": "push",
            "X-GitHub-Delivery": key,
            "X-Hub-Signature-256": f"sha256={signature}",
        }
        try:
            connection.request("POST", "/in/github", body, headers)
            response = connection.getresponse()
            answer = response.read()
        except (OSError, http.client.HTTPException):
            connection.close()
            deliveries.put(key)  # as GitHub's redelivery would
            continue
        status = f"HTTP {response.status}"
        if response.status == 200:
            status = json.loads(answer)["status"]
        answers.append((key, status))


def payload(key: str) -> bytes:
    """Return a push event of one to six kilobytes: the same for the same key."""
    dice = random.Random(key)
    commits = [
        {"id": f"{dice.getrandbits(160):040x}", "message": "Größe geändert 📏 " + "x" * 200}
        for _ in range(dice.randint(3, 20))
    ]
    push = {"ref": "refs/heads/main", "repository": {"full_name": "octo/cat"}, "commits": commits}
    return json.dumps(push, ensure_ascii=False).encode()


def kill_a_worker(environment: dict[str, str]) -> int:
    """Kill a worker process, as the status command names them; return its pid."""
    shown = subprocess.run(
        [*FENCEPOST, "status", "--json"], env=environment, check=True, capture_output=True
    )
    pid = int(json.loads(shown.stdout)["pools"][0]["workers"][0]["pid"])
    os.kill(pid, signal.SIGKILL)
    return pid


def handled_rows(store: str) -> Counter[str]:
    """Return how often each key was handled, by the handlers' own rows."""
    with fencepost.connect(store) as opened, opened.transaction() as tx:
        if not tx.execute("select 1 from sqlite_schema where name = 'handled'"):
            return Counter()
        return Counter(key for (key,) in tx.execute("select key from handled"))


def report(
    answers: list[tuple[str, str]], rows: Counter[str], seconds: float, *, clean: bool
) -> bool:
    """Print the table; return whether every accepted message was handled exactly once."""
    statuses = Counter(status for _, status in answers)
    accepted = [key for key, status in answers if status == "accepted"]
    lost = len(set(accepted) - rows.keys())
    twice = sum(count > 1 for count in rows.values())
    table = Table("", "", show_header=False)
    for name, value in (
        ("sent", len(answers)),
        ("accepted", len(accepted)),
        ("duplicates", statuses["duplicate"]),
        ("handled", len(rows)),
        ("handled twice", twice),
        ("lost", lost),
        ("seconds", f"{seconds:.1f}"),
        ("messages a second", f"{len(answers) / seconds:.0f}"),
    ):
        table.add_row(name, str(value), style="red" if name in ("lost",) and value else None)
    Console().print(table)
    once = len(accepted) == len(set(accepted)) == len(rows) and not lost and not twice
    complete = len(answers) == SENT and statuses["accepted"] + statuses["duplicate"] == SENT
    if not (once and complete and clean):
        print(f"FAILED: answers {dict(statuses)}, stopped in good order: {clean}", file=sys.stderr)
        return False
    return True


if __name__ == "__main__":
    sys.exit(main())
