"""The contract says of every verb what it raises and what it does within a transaction."""

from __future__ import annotations

import ast
import inspect
from pathlib import Path
from typing import Protocol

import pytest

from fencepost.store import engine
from fencepost.store.engine import Engine, keyed, leases, once, transactions, upkeep
from fencepost.store.engine.durable import ends, joins, steps, waits
from fencepost.store.engine.durable import verbs as durable
from fencepost.store.engine.operators import routes, routing
from fencepost.store.engine.operators import verbs as operators
from fencepost.store.engine.pools import schedules
from fencepost.store.engine.pools import verbs as pools
from fencepost.store.engine.ports import clock, identity, liveness, wakeup
from fencepost.store.engine.queue import outbox
from fencepost.store.engine.queue import verbs as queue

from ..root import ROOT

PORTS = (clock.StoreClock, identity.Identity, liveness.Liveness, wakeup.Wakeup)
PARTS = (
    keyed.KeyedVerbs,
    leases.LeaseVerbs,
    once.OnceVerbs,
    operators.OperatorVerbs,
    outbox.OutboxVerbs,
    pools.PoolVerbs,
    queue.QueueVerbs,
    routes.RouteVerbs,
    routing.RoutingVerbs,
    durable.DurableVerbs,
    steps.StepVerbs,
    ends.EndVerbs,
    joins.JoinVerbs,
    waits.WaitVerbs,
    schedules.ScheduleVerbs,
    transactions.TransactionVerbs,
    upkeep.UpkeepVerbs,
)


def _members(part: type) -> dict[str, object]:
    return {name: member for name, member in vars(part).items() if not name.startswith("_")}


# FP-21
def test_the_engine_has_at_most_twelve_members_and_a_port_two_to_four() -> None:
    assert len(_members(Engine)) <= 12
    assert {port.__name__: len(_members(port)) for port in PORTS if len(_members(port)) > 4} == {}
    assert all(len(_members(port)) >= 2 for port in PORTS)


def test_each_protocol_of_the_contract_is_looked_at() -> None:
    found = {
        node.name
        for path in Path(inspect.getfile(engine)).parent.rglob("*.py")
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.ClassDef)
        and any(isinstance(base, ast.Name) and base.id == Protocol.__name__ for base in node.bases)
    }

    assert found == {each.__name__ for each in (Engine, *PORTS, *PARTS)}


# FP-21
@pytest.mark.parametrize("part", [*PORTS, *PARTS], ids=lambda part: part.__name__)
def test_each_verb_says_what_it_raises_and_whether_it_joins(part: type) -> None:
    verbs = {name: verb for name, verb in _members(part).items() if inspect.isfunction(verb)}
    silent = {name for name, verb in verbs.items() if "Raises:" not in (verb.__doc__ or "")}
    if part in (*PARTS, liveness.Liveness):
        silent |= {name for name, verb in verbs.items() if "Joins: " not in (verb.__doc__ or "")}

    assert silent == set()


# FP-22
def test_only_the_table_of_schemes_names_an_engine() -> None:
    folders = ("store", "log", "workers", "ingest", "app", "cli")
    paths = [path for folder in folders for path in (ROOT / folder).rglob("*.py")]
    engines = {"sqlite", "reference"}
    code = {
        path: _said_to_python(path.read_text()) for path in paths if not engines & {*path.parts}
    }

    naming = {path.relative_to(ROOT).as_posix() for path, said in code.items() if "sqlite" in said}

    assert naming == {"store/connect.py"}


def _said_to_python(source: str) -> str:
    """Return what names modules and addresses: not what people read."""
    tree = ast.parse(source)
    names = [
        alias.name
        for node in ast.walk(tree)
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in node.names
    ]
    names += [node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
    texts = [
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and " " not in node.value
    ]
    return "\n".join((*names, *texts)).lower()
