"""An app whose handlers the tests steer through files."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from fencepost import Store, connect

from ..processes import fencepost, running

APP = '''
import asyncio, os, signal, time
from pathlib import Path

from fencepost import App, Discard, LeaseLost, Retry

here = Path(__file__).parent
app = App(str(here / "store.db"))
app.source("hooks", scheme="hmac", secret="s", key="body")


def effect(message, ctx):
    with ctx.transaction() as tx:
        values = (message.key, ctx.attempt, os.getpid())
        tx.execute("insert into effects values (?, ?, ?)", values)


def wait_for(name):
    while not (here / name).exists():
        time.sleep(0.005)


@app.task("quick")
def quick(message, ctx):
    effect(message, ctx)


@app.task("external")
def external(message, ctx):
    with (here / "external").open("a") as file:
        file.write(f"{message.key} {ctx.idempotency_key} {ctx.fence}\\n")
    return {"attempt": ctx.attempt}


@app.task("gated")
def gated(message, ctx):
    """Begins, and ends when there is a file called go."""
    try:
        (here / f"begun-{message.key}-{ctx.attempt}").write_text(str(os.getpid()))
        wait_for("go")
        effect(message, ctx)
    except LeaseLost:
        (here / f"lost-{message.key}-{ctx.attempt}").write_text(str(ctx.lost))
        raise


@app.task("failing", max_attempts=2)
def failing(message, ctx):
    raise RuntimeError(f"boom {ctx.attempt}")


@app.task("discarding")
def discarding(message, ctx):
    raise Discard("not for us")


@app.task("again", max_attempts=3)
def again(message, ctx):
    if ctx.attempt < 3:
        raise Retry(after=0, reason="not yet")
    effect(message, ctx)


@app.task("suicidal", max_attempts=2)
def suicidal(message, ctx):
    os.kill(os.getpid(), signal.SIGSEGV)


@app.task("once", at_most_once=True)
def once(message, ctx):
    """Has its effect, and no time to tell."""
    effects = here / "once"
    effects.write_text((effects.read_text() if effects.exists() else "") + "!")
    os.kill(os.getpid(), signal.SIGKILL)


@app.task("once-failing", at_most_once=True)
def once_failing(message, ctx):
    raise Retry(after=0, reason="not this time")


@app.task("hopeless", discard_on=[ArithmeticError])
def hopeless(message, ctx):
    return 1 / 0


@app.task("endless", timeout=0.3, max_attempts=2)
def endless(message, ctx):
    while True:
        time.sleep(0.01)


@app.task("unstorable", max_attempts=1)
def unstorable(message, ctx):
    raise ValueError("half \\ud83d of a character")


@app.task("unstorable-discard")
def unstorable_discard(message, ctx):
    raise Discard("half \\ud83d of a character")


@app.task("real-time", max_attempts=1)
def real_time(message, ctx):
    os.kill(os.getpid(), 40)


async def _never():
    pass


@app.task("coroutine", max_attempts=1)
def coroutine(message, ctx):
    return _never()


@app.task("forking")
def forking(message, ctx):
    """Comes back twice; the child must not go on as if it were the worker."""
    child = os.fork()
    if child:
        os.waitpid(child, 0)
        effect(message, ctx)


@app.task("leaving-behind")
def leaving_behind(message, ctx):
    """Leaves a process behind that has all its descriptors."""
    if not os.fork():
        os.setsid()
        (here / "left").write_text(str(os.getpid()))
        wait_for("go")
        os._exit(0)
    effect(message, ctx)


@app.task("leaving", max_attempts=1)
def leaving(message, ctx):
    raise SystemExit(3)


@app.task("slow", soft_timeout=0.3, max_attempts=2)
def slow(message, ctx):
    if ctx.attempt == 1:
        time.sleep(1000)
    effect(message, ctx)


@app.task("gated-once", at_most_once=True)
def gated_once(message, ctx):
    gated(message, ctx)


async def gate(message, ctx):
    (here / f"begun-{message.key}-{ctx.attempt}").write_text(str(os.getpid()))
    while not (here / "go").exists():
        await asyncio.sleep(0.005)


@app.task("async", concurrency=5)
async def concurrent(message, ctx):
    await gate(message, ctx)
    effect(message, ctx)


@app.task("async-once", at_most_once=True)
async def async_once(message, ctx):
    await gate(message, ctx)


@app.task("async-returning")
async def async_returning(message, ctx):
    await asyncio.sleep(0)
    return {"attempt": ctx.attempt}


@app.task("async-slow", soft_timeout=0.3, max_attempts=2)
async def async_slow(message, ctx):
    if ctx.attempt == 1:
        await asyncio.sleep(1000)
    effect(message, ctx)


@app.task("async-endless", timeout=0.3, max_attempts=2)
async def async_endless(message, ctx):
    await asyncio.sleep(1000)


@app.task("async-failing", max_attempts=1)
async def async_failing(message, ctx):
    raise RuntimeError("boom")


@app.task("async-leaving", max_attempts=1)
async def async_leaving(message, ctx):
    raise SystemExit(3)


@app.task("async-holding", max_attempts=1)
async def async_holding(message, ctx):
    with ctx.transaction() as tx:
        tx.execute("insert into effects values ('held', 0, 0)")
        await asyncio.sleep(0)


@app.task("async-nesting", max_attempts=1)
async def async_nesting(message, ctx):
    async def part():
        with ctx.store.transaction() as tx:
            tx.execute("insert into effects values ('held', 0, 0)")
            await asyncio.sleep(0)

    await asyncio.gather(part())


@app.task("late-error")
def late_error(message, ctx):
    effect(message, ctx)
    raise RuntimeError("after the commit")
'''


@dataclass
class Site:
    """A folder with the app and its store."""

    folder: Path
    store: Store

    @property
    def path(self) -> Path:
        """Where the store is."""
        return self.folder / "store.db"

    def work(self, *options: str) -> list[str]:
        """The arguments that run a pool on the app."""
        return fencepost("work", str(self.folder / "app.py"), *options)

    def drain(self) -> str:
        """Work everything off with one worker; return what was logged."""
        with running(self.work("--drain", "--workers", "1"), cwd=self.folder) as pool:
            code, log = pool.wait(timeout=90), (self.folder / "stderr").read_text()
        assert code == 0, log
        return log

    def effects(self) -> list[tuple[str, int, int]]:
        """What handlers wrote: key, attempt, pid."""
        with self.store.transaction() as tx:
            return [(row[0], row[1], row[2]) for row in tx.execute("select * from effects")]

    def begun(self, key: str, attempt: int) -> int:
        """The pid of the worker that began an attempt, 0 when none has."""
        file = self.folder / f"begun-{key}-{attempt}"
        return int(file.read_text() or 0) if file.exists() else 0

    def state(self, id: int) -> str:
        """The state of a delivery."""
        delivery = self.store.delivery(id)
        assert delivery is not None
        return delivery.state


@pytest.fixture
def site(tmp_path: Path) -> Site:
    """A site with an empty store."""
    (tmp_path / "app.py").write_text(APP)
    store = connect(tmp_path / "store.db")
    with store.transaction() as tx:
        tx.execute("create table effects (key text, attempt integer, pid integer)")
    return Site(tmp_path, store)
