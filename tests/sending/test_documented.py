"""The example of the page on handlers that remember, killed in the middle."""

from __future__ import annotations

import os
import re
import signal
from pathlib import Path

from fencepost import connect
from fencepost.app.loading.target import Target
from fencepost.testing import signed

from ..processes import fencepost, line_of, running, wait_until
from ..root import ROOT
from .other_side import answer, other_side

# What the page cannot have: the other side of the test is on the loopback.
_PRIVATE = """
from fencepost.app.sending.options import SendingOptions
app.sending = SendingOptions(private=True, secrets=app.sending.secrets)
"""


# OUTBOX-22
def test_the_example_is_killed_in_the_middle_and_tells_once(tmp_path: Path) -> None:
    page = (ROOT / "docs/durable.md").read_text().partition("\n## Sending\n")[2]
    (code, *_) = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    (tmp_path / "app.py").write_text(code + _PRIVATE)
    pool = fencepost("work", str(tmp_path / "app.py"), "--workers", "1")
    with other_side() as side:
        environment = {"CUSTOMER_URL": side.url}
        with running(pool, cwd=tmp_path, env=environment) as first:
            side.behave = lambda connection, request: os.kill(first.pid, signal.SIGKILL)
            line_of(first)
            _deliver(tmp_path)
            wait_until(lambda: first.poll() is not None, "the kill")
        side.behave = answer(200)
        with running([*pool, "--drain"], cwd=tmp_path, env=environment) as second:
            assert second.wait(timeout=90) == 0

    before, after = side.requests
    assert before.headers["webhook-id"] == after.headers["webhook-id"]
    assert before.body == after.body == b'{"order":7,"type":"order.paid"}'
    with connect(tmp_path / "hooks.db") as store:
        assert store.read("select order_id from told") == [("7",)]
        assert {each.state for each in store.deliveries()} == {"done"}


def _deliver(folder: Path) -> None:
    app = Target(str(folder / "app.py"))()
    app.store = str(folder / "hooks.db")
    sent = signed(app, "shop", event="order.paid", body={"type": "order.paid", "order": 7})
    assert app.accept("shop", sent.headers, sent.body).status == 200
    app.close()
