"""fencepost check: an app as it is declared, and what is wrong with it."""

from __future__ import annotations

import importlib.util
import os
from pathlib import Path

import pytest

from fencepost import App, connect
from fencepost.cli.check.patterns import why_never

from ..ingest.inbox import SECRET, github, nothing
from .command import Command, Result

GOOD = f"""
import datetime
from fencepost import App

app = App("hooks.db")
app.source("github", scheme="github", secret={SECRET!r}, keep_for=3600)
app.source(
    "shop", scheme="hmac", secret="s", key="json:/order/id", max_body=5000, redelivery="ignore",
    keep_body_for=datetime.timedelta(days=2),
)


@app.on("github", "push", lane=lambda message: "x", lane_policy="park", priority=4)
def deploy(message, ctx):
    pass


@app.on(
    "github", "issues", retry_for=3600, max_attempts=5, timeout=600, soft_timeout=30.5,
    backoff=datetime.timedelta(seconds=4), retry_on={{KeyError: 5}}, discard_on=[ValueError],
    max_leased=3, keep_body_for=60,
)
async def issue(message, ctx):
    pass


app.command("shop", "order", ["true", "a b"], max_rows=1000, max_bytes=2**20, timeout=5)


@app.task("mail", at_most_once=True)
def mail(message, ctx):
    pass


@app.every("0 9 * * mon-fri", timezone="Europe/Berlin", max_leased=1)
def report(message, ctx):
    pass


app.every(minutes=5, missed="skip", name="often")(report)


@app.on_dead
def tell(message, ctx):
    pass
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Run in a folder of one's own, in which files are written and the store is."""
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def checked(command: Command, request: pytest.FixtureRequest) -> object:
    """Checks an app of this source code."""
    number = iter(range(100))

    def check(code: str, *options: str) -> Result:
        # In this process a module is imported once, so each has a name of its own.
        name = f"app_{os.getpid()}_{id(request)}_{next(number)}"
        Path(f"{name}.py").write_text(code)
        return command("check", f"{name}.py", *options)

    return check


# CHECKAPP-1
def test_what_is_declared_is_shown_with_its_settings(checked: Command) -> None:
    shown = checked(GOOD)

    assert (shown.code, shown.err) == (0, "")
    text = " ".join(shown.out.split())
    for part in (
        "github: scheme github, POST /in/github",
        "key header:X-GitHub-Delivery; key kept 1 h after its work has ended; body deleted when all deliveries are done",
        "push → deploy (lane <lambda>, park) (priority 4)",
        "issues → issue",
        "key json:/order/id; key kept 35 days after its work has ended; body kept 2 days after all deliveries are done",
        "body up to 5000 bytes; redelivery ignore",
        "order → true",
        "deploy: runs deploy retried for 3 days",
        "retried for 1 h, at most 5 attempts; backoff 4 s; KeyError retried after 5 s; ",
        "dead at once on ValueError; timeout 10 min; soft_timeout 30.5 s; ",
        "10 at a time in each worker; max_leased 3; body kept 1 min",
        "true: runs true a b retried for 3 days; timeout 5 s; max_rows 1000; max_bytes 1 MiB",
        "mail: runs mail (task: filled by enqueue) tried at most once",
        "Schedules report: 0 9 * * MON-FRI Europe/Berlin missed times come once; next 20",
        "often: every 300 s missed times are skipped; next 20",
        "report: runs report (filled by its schedule) retried for 3 days; max_leased 1",
        "fencepost.on_dead: runs tell (for each dead letter)",
        "hooks.db (not there yet)",
        "Nothing is wrong.",
    ):
        assert part in text
    assert max(map(len, shown.out.splitlines())) <= 80


# CHECKAPP-1
def test_a_program_reads_the_same(checked: Command) -> None:
    shown = checked(GOOD, "--json")

    found = shown.json()
    assert (shown.code, found["ok"], found["findings"]) == (0, True, [])
    assert found["tasks"] == ["mail"]
    assert [source["name"] for source in found["sources"]] == ["github", "shop"]
    assert found["sources"][0]["routes"][0] == {
        "event": "push",
        "queue": "deploy",
        "lane": "<lambda>",
        "lane_policy": "park",
        "priority": 4,
    }
    report, often = found["schedules"]
    assert (report["spec"], report["timezone"]) == ("0 9 * * MON-FRI", "Europe/Berlin")
    assert (often["spec"], often["timezone"], often["missed"]) == ("every 300 s", "UTC", "skip")
    assert len(often["next"]) == len(set(often["next"])) == 3
    assert [each["kind"] for each in found["queues"]][-3:] == ["schedule", "schedule", "on_dead"]
    issue, true = found["queues"][1:3]
    assert (issue["retry_for"], issue["max_attempts"], issue["backoff"]) == (3600, 5, 4)
    assert (issue["retry_on"], issue["discard_on"]) == ({"KeyError": 5}, ["ValueError"])
    assert (true["command"], true["timeout"], true["max_rows"]) == (["true", "a b"], 5, 1000)


# CHECKAPP-2
def test_checking_makes_no_store(checked: Command) -> None:
    checked(GOOD)

    assert [name for name in os.listdir() if ".db" in name] == []


# CHECKAPP-3
def test_an_app_that_only_sends_is_sound(checked: Command) -> None:
    shown = checked("from fencepost import App\napp = App('hooks.db', send_to_private=True)\n")

    assert "error:" not in shown.out


# CHECKAPP-3
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ('app.on("nobody")(nothing)', "source 'nobody', which is not declared"),
        ("", "no handlers"),
        ('app = App("no/folder/hooks.db"); app.task("mail")(nothing)', "does not exist"),
        ('app = App("foreign.db"); app.task("mail")(nothing)', "cannot be opened"),
    ],
)
def test_what_up_would_refuse_is_an_error_and_exit_1(
    checked: Command, code: str, says: str
) -> None:
    Path("foreign.db").write_bytes(b"no database at all, but long enough to be looked at" * 100)
    preface = "from fencepost import App\napp = App('hooks.db')\ndef nothing(m, c): pass\n"

    shown = checked(preface + code)
    as_json = checked(preface + code, "--json")

    (line,) = [line for line in shown.out.splitlines() if line.startswith("  error:")]
    assert (shown.code, shown.err, as_json.code) == (1, "", 1)
    assert says in line
    assert as_json.json()["ok"] is False
    assert [each["level"] for each in as_json.json()["findings"]] == ["error"]
    assert not os.path.exists("hooks.db")


# CHECKAPP-3, CHECKAPP-6
@pytest.mark.parametrize(
    ("code", "says"),
    [
        ("app = (", "SyntaxError"),
        (
            "import os\nos.environ['NO_SUCH_SECRET']",
            "the environment variable NO_SUCH_SECRET is not set (app_",
        ),
        ("{}['KEY']", "KeyError: 'KEY'"),
        ("import no_such_module_anywhere", "no_such_module_anywhere"),
        ("raise SystemExit(0)", "exit()"),
        ("app.source('a', scheme='github', secrets=[])", "no secret was given"),
        ("app.source('a', scheme='fax', secret='s')", ".py, line 4)"),
        ("app.source('a', scheme='github', secret='')", "secret"),
        ("app.task('a')(nothing); app.task('a')(print)", "two handlers are called 'a'"),
        ("app.command('a', 'b', ['./gone'])", "no command ./gone"),
    ],
)
def test_a_declaration_that_is_refused_is_one_line_and_exit_1(
    checked: Command, code: str, says: str
) -> None:
    preface = "from fencepost import App\napp = App('hooks.db')\ndef nothing(m, c): pass\n"

    shown = checked(preface + code)
    as_json = checked(preface + code, "--json")

    assert shown.complains(1)
    assert says in shown.err
    assert (as_json.code, as_json.err) == (1, "")
    assert says in as_json.json()["findings"][0]["sentence"]


# CHECKAPP-3
@pytest.mark.parametrize("target", ["", "absent.py", "absent", "absent.py:app", "os:path", "os:x"])
def test_a_target_that_is_not_there_is_wrong_usage(command: Command, target: str) -> None:
    assert command("check", target).complains(2)


# CHECKAPP-4
def test_what_is_likely_wrong_is_a_warning_and_exit_0(checked: Command) -> None:
    shown = checked(
        GOOD
        + """
app.source("slack", scheme="slack", secret="s")
app.on("github", "pul_request", name="typo")(mail)
app.on("github", "push.*", name="action")(mail)
"""
    )

    lines = [line for line in shown.out.splitlines() if line.startswith("  warning:")]
    assert shown.code == 0
    assert len(lines) == 3
    assert "did you mean 'pull_request'?" in lines[0]
    assert "'push' has no action" in lines[1]
    assert "source 'slack' has no handler" in lines[2]


# KEY-7
def test_a_key_that_is_new_on_each_request_is_a_warning(checked: Command) -> None:
    shown = checked(
        GOOD
        + """
app.source("a", scheme="hmac", secret="s", key="header:X-Request-Id")
app.source("b", scheme="hmac", secret="s", key="header:X-Order-Id")
app.on("a", name="of_a")(mail)
app.on("b", name="of_b")(mail)
"""
    )

    lines = [line for line in shown.out.splitlines() if line.startswith("  warning:")]
    assert shown.code == 0
    assert len(lines) == 1
    assert "the key of source 'a' is header x-request-id" in lines[0]


# OUTBOX-17
def test_an_app_that_cannot_send_its_webhooks_is_warned(
    checked: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    code = GOOD.replace('App("hooks.db"', 'App("hooks.db", send_to_private=True')
    assert "aiohttp" not in checked(code).out
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: None if name == "aiohttp" else find(name)
    )

    shown = checked(code)

    assert "the app sends webhooks without aiohttp" in shown.out
    assert "pip install 'fencepost[send]'" in shown.out
    assert "aiohttp" not in checked(GOOD).out


# CHECKAPP-4
@pytest.mark.parametrize(
    ("scheme", "pattern", "never"),
    [
        ("github", "*", False),
        ("github", "push", False),
        ("github", "pu*", False),
        ("github", "[pP]ush", False),
        ("github", "pull_request", False),
        ("github", "pull_request.opened", False),
        ("github", "pull_request.*", False),
        ("github", "pull_request*.opened", False),
        ("github", "*.opened", False),
        ("github", "*_request", False),
        ("github", "repository_dispatch.my-own", False),
        ("github", "", True),
        ("github", "Push", True),
        ("github", "pushes", True),
        ("github", "push.opened", True),
        ("github", "push/*", True),
        ("github", "x*y", True),
        ("github", "p\nush", True),
        ("stripe", "*", False),
        ("stripe", "invoice.*", False),
        ("stripe", "v[12].core.account.created", False),
        ("stripe", "", True),
        ("stripe", "Invoice.paid", True),
        ("stripe", "invoice:paid", True),
        ("slack", "message", False),
        ("slack", "command:/deploy", False),
        ("slack", "message.im", True),
        ("standard", "anything at all", False),
        ("hmac", "", False),
        ("hmac", " ", True),
    ],
)
def test_a_pattern_that_can_match_nothing_is_known(scheme: str, pattern: str, never: bool) -> None:
    assert (why_never(scheme, pattern) is not None) is never


# CHECKAPP-4
def test_events_that_the_user_names_are_not_judged(checked: Command) -> None:
    code = GOOD.replace("keep_for=3600", "event='json:/my/kind'").replace('"push"', '"My Kind"')

    assert "Nothing is wrong." in checked(code).out


# CHECKAPP-5
def test_what_waits_in_the_store_without_a_handler_is_named(checked: Command) -> None:
    app = App("hooks.db")
    app.source("github", scheme="github", secret=SECRET)
    app.on("github", "release", name="old")(nothing)
    app.source("former", scheme="github", secret=SECRET)
    for event in ("push", "star.created", "star.created", "release"):
        assert app.accept("github", github(event=event), b"{}").status == 200
    assert app.accept("former", github(), b"{}").status == 200
    app.close()

    shown = checked(GOOD)
    as_json = checked(GOOD, "--json").json()

    lines = [line for line in shown.out.splitlines() if line.startswith("  warning:")]
    assert shown.code == 0
    assert len(lines) == 4
    assert (
        "1 message of event 'push' from former are waiting: the app no longer has this source"
        in shown.out
    )
    assert "1 message of event 'push' from github came before a route matched" in shown.out
    assert (
        "2 messages of event 'star.created' from github are waiting: no route matches" in shown.out
    )
    assert "queue 'old' holds 1 delivery, and this app has no handler" in shown.out
    assert as_json["store"]["without_handler"] == [{"queue": "old", "waiting": 1}]
    assert sorted((each["event"], each["count"]) for each in as_json["store"]["unrouted"]) == [
        ("push", 1),
        ("push", 1),
        ("star.created", 2),
    ]
    with connect("hooks.db") as store:  # looking has changed nothing
        assert store.stats()["old"].ready == 1
