"""What signing, deduping and storing a webhook costs: the receiver beside servers with no store.

    .venv/bin/python bench/ingest.py [--rounds 5] [--seconds 3] [--connections 1 32] [--json]

All are uvicorn with the receiver's settings. The bare one is an ASGI app that reads the body,
checks the same HMAC and answers with the same bytes. The one without a store is the receiver
itself, which reads, checks, routes, logs and answers as ever, but for its commits: each message
is answered as if it were stored. They take turns, and each ratio is of one round. Each request is
a new message of 1 KiB; the clients run in a process of their own.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import hashlib
import hmac
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, cast

import uvloop

SECRET = b"It's a Secret to Everybody"
BODY = b'{"text":"' + b"x" * 1013 + b'"}'  # 1 KiB
_SIGNATURE = hmac.new(SECRET, BODY, hashlib.sha256).hexdigest()

_HEAD = (
    "POST /in/github HTTP/1.1\r\n"
    "host: 127.0.0.1\r\n"
    "user-agent: GitHub-Hookshot/044aadd\r\n"
    "accept: */*\r\n"
    "content-type: application/json\r\n"
    f"content-length: {len(BODY)}\r\n"
    "x-github-event: push\r\n"
    f"x-hub-signature-256: sha256={_SIGNATURE}\r\n"
    "x-github-delivery: "
).encode()
_TAIL = b"\r\n\r\n" + BODY


APP = f"""
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET.decode()!r})


@app.on("github")
def note(message, ctx):
    pass
"""


@dataclass(frozen=True, slots=True)
class Load:
    """How fast a server answered."""

    per_second: float
    p50_ms: float
    p99_ms: float


def main() -> None:
    """Print a line for each number of connections, or all of it as JSON."""
    options = _options()
    results = measure(options.rounds, options.seconds, options.connections)
    if options.json:
        print(json.dumps(results))
        return
    print(f"fdatasync of 4 KiB: p50 {results['fdatasync_ms']:.3f} ms")
    for row in results["ingest"]:
        print(
            f"{row['connections']:3} connections: {row['ratio']:.2f} of bare"
            f" ({row['least_ratio']:.2f} to {row['greatest_ratio']:.2f}),"
            f" {row['of_no_store']:.2f} of no store"
        )
        for server in ("receiver", "no_store", "bare"):
            found = row[server]
            print(
                f"    {server:9} {found['per_second']:7,.0f}/s,"
                f" p50 {found['p50_ms']:.2f} ms, p99 {found['p99_ms']:.2f} ms"
            )


def measure(rounds: int, seconds: float, connections: list[int]) -> dict[str, Any]:
    """Return medians over the rounds, with those of each round's ratios."""
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as servers:
        probe = fdatasync_ms(Path(folder))
        ports = {
            "bare": servers.enter_context(_other("bare", Path(folder))),
            "no_store": servers.enter_context(_other("no_store", Path(folder))),
            "receiver": servers.enter_context(_receiver(Path(folder))),
        }
        runs: dict[tuple[int, str], list[Load]] = {}
        context = multiprocessing.get_context("spawn")
        with context.Pool(1) as pool:
            for port in ports.values():
                pool.apply(offer, (port, max(connections), 1.0, "warm"))
            for n in range(rounds):
                for count in connections:
                    for server, port in ports.items():
                        load = pool.apply(offer, (port, count, seconds, f"{n}-{count}"))
                        runs.setdefault((count, server), []).append(load)
    return {"fdatasync_ms": probe, "ingest": [_row(runs, count) for count in connections]}


def fdatasync_ms(folder: Path) -> float:
    """Return the median time of 200 appends of 4 KiB, each synced."""
    times = []
    fd = os.open(folder / "probe", os.O_CREAT | os.O_WRONLY)
    for _ in range(200):
        began = time.perf_counter()
        os.write(fd, b"x" * 4096)
        os.fdatasync(fd)
        times.append((time.perf_counter() - began) * 1000)
    os.close(fd)
    return statistics.median(times)


def _row(runs: dict[tuple[int, str], list[Load]], count: int) -> dict[str, Any]:
    ratios = _ratios(runs, count, "bare")
    return {
        "connections": count,
        "ratio": statistics.median(ratios),
        "least_ratio": min(ratios),
        "greatest_ratio": max(ratios),
        "of_no_store": statistics.median(_ratios(runs, count, "no_store")),
        **{server: _medians(runs[count, server]) for server in ("bare", "no_store", "receiver")},
    }


def _ratios(runs: dict[tuple[int, str], list[Load]], count: int, other: str) -> list[float]:
    both = zip(runs[count, "receiver"], runs[count, other], strict=True)
    return [ours.per_second / theirs.per_second for ours, theirs in both]


def _medians(loads: list[Load]) -> dict[str, float]:
    return {
        name: statistics.median(getattr(load, name) for load in loads)
        for name in ("per_second", "p50_ms", "p99_ms")
    }


@contextlib.contextmanager
def _receiver(folder: Path) -> Iterator[int]:
    (folder / "app.py").write_text(APP)
    command = [sys.executable, "-m", "fencepost", "serve", "app.py", "--port", "0"]
    with _running(command, folder) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline().split()[2].rpartition(b":")[2])


@contextlib.contextmanager
def _other(which: str, folder: Path) -> Iterator[int]:
    servers = Path(__file__).resolve().with_name("ingest_servers.py")
    with _running([sys.executable, str(servers), which, SECRET.decode()], folder) as process:
        assert process.stdout is not None
        yield int(process.stdout.readline())


@contextlib.contextmanager
def _running(command: list[str], folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen(
        command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        yield process
    finally:
        process.terminate()
        process.communicate()


def offer(port: int, connections: int, seconds: float, prefix: str) -> Load:
    """Send requests with new keys over so many connections, one at a time on each."""
    return uvloop.run(_offer(port, connections, seconds, prefix))


async def _offer(port: int, connections: int, seconds: float, prefix: str) -> Load:
    loop = asyncio.get_running_loop()
    times: list[float] = []
    began = time.perf_counter()
    clients = [_Client(f"{prefix}-{n}-", times, began + seconds) for n in range(connections)]
    for client in clients:
        await loop.create_connection(partial(_same, client), "127.0.0.1", port)
    for client in clients:
        await client.done.wait()
    took = time.perf_counter() - began
    times.sort()
    count = len(times)
    return Load(count / took, times[count // 2] * 1000, times[count * 99 // 100] * 1000)


def _same(client: _Client) -> _Client:
    return client


class _Client(asyncio.Protocol):
    """One connection."""

    def __init__(self, prefix: str, times: list[float], end: float) -> None:
        self.done = asyncio.Event()
        self._prefix = prefix.encode()
        self._times = times
        self._end = end
        self._count = 0
        self._said = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)
        self._send()

    def data_received(self, data: bytes) -> None:
        self._said += data
        if not self._said.endswith(b"}"):
            return
        if not self._said.startswith(b"HTTP/1.1 200"):
            raise AssertionError(self._said)
        now = time.perf_counter()
        self._times.append(now - self._sent_at)
        if now < self._end:
            self._send()
        else:
            self._transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self.done.set()

    def _send(self) -> None:
        self._count += 1
        self._said = b""
        self._sent_at = time.perf_counter()
        self._transport.write(b"%b%b%d%b" % (_HEAD, self._prefix, self._count, _TAIL))


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--connections", type=int, nargs="+", default=[1, 32])
    parser.add_argument("--json", action="store_true")
    return parser.parse_args()


if __name__ == "__main__":
    main()
