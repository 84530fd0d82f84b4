"""What follows from an exception of a handler."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any, NoReturn

import pytest

from fencepost import App, Context, Discard, Message, Retry
from fencepost.app.handlers.failures import Verdict, verdict
from fencepost.app.handlers.handler import Handler


def work(message: Message, ctx: Context) -> None:
    """A handler."""


def handler(**settings: Any) -> Handler:
    app = App("unused.db")
    app.task("work", **settings)(work)
    return app.handlers["work"]


def after(made: Handler, error: BaseException, attempt: int = 1) -> float | None:
    return verdict(made, error, attempt).retry_after


def raised(error: Exception) -> Exception:
    with pytest.raises((ValueError, KeyError)) as caught:
        raise error
    return caught.value


def test_an_error_without_a_rule_waits_for_the_default_backoff() -> None:
    waits = [after(handler(), ValueError("no"), attempt) for attempt in range(1, 40)]

    for attempt, wait in enumerate(waits, start=1):
        assert wait is not None
        assert 0 <= wait <= min(3300, 2 ** (attempt - 1))


def test_an_error_is_kept_with_its_class_and_the_line_that_raised_it() -> None:
    found = verdict(handler(), raised(ValueError("no paper")), 1)

    assert found.error.startswith("ValueError: no paper (test_rules.py:")
    assert not found.expected


def test_retry_and_discard_need_no_rule() -> None:
    assert verdict(handler(), Retry(after=5, reason="later"), 1) == Verdict(5.0, "later", True)
    assert verdict(handler(), Discard("not for us"), 1) == Verdict(None, "not for us", True)
    assert verdict(handler(), Discard(), 1) == Verdict(None, "discarded", True)
    assert after(handler(backoff=lambda attempt: 7), Retry()) == 7


class Gone(ConnectionError):
    """More specific than its base."""


class Hopeless(Discard):
    """A discard of one's own."""


# DRAIN-5
@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (OSError(), 10),
        (ConnectionError(), None),
        (ConnectionResetError(), None),
        (Gone(), 20),
        (type("Lost", (Gone,), {})(), 20),
        (Hopeless(), 30),
        (Discard(), None),
    ],
    ids=lambda value: type(value).__name__,
)
def test_the_most_specific_class_counts(error: BaseException, expected: float | None) -> None:
    made = handler(discard_on=[ConnectionError], retry_on={OSError: 10, Gone: 20, Hopeless: 30})

    assert after(made, error) == expected


def test_a_rule_for_every_exception_leaves_retry_and_discard_alone() -> None:
    assert after(handler(discard_on=[Exception]), Retry(after=3)) == 3
    assert after(handler(retry_on={BaseException: 3}), Discard("no")) is None
    assert after(handler(retry_on={BaseException: 3}), SystemExit(1)) == 3


def test_a_discarded_error_keeps_what_went_wrong() -> None:
    found = verdict(handler(discard_on=[KeyError]), raised(KeyError("order")), 1)

    assert found.retry_after is None
    assert found.error.startswith("KeyError: 'order' (test_rules.py:")


def test_a_delay_may_be_a_function_of_the_attempt_that_failed() -> None:
    made = handler(
        backoff=lambda attempt: attempt * 10,
        retry_on={OSError: lambda attempt: timedelta(minutes=attempt)},
    )

    assert [after(made, ValueError(), attempt) for attempt in (1, 2, 3)] == [10, 20, 30]
    assert [after(made, OSError(), attempt) for attempt in (1, 2)] == [60, 120]


# OUTBOX-6
def test_a_first_delay_doubles_up_to_an_hour_and_a_random_part_of_it_is_waited() -> None:
    made = handler(backoff=60)

    for attempt in range(1, 40):
        waits = [after(made, ValueError(), attempt) or 0.0 for _ in range(50)]
        most = min(3600, 60 * 2 ** (attempt - 1))
        assert all(0 <= wait <= most for wait in waits)
        assert max(waits) > most / 2
        assert len(set(waits)) > 10


# RETRY-7
@pytest.mark.parametrize("settings", [{"backoff": 0}, {"backoff": lambda attempt: 0}])
def test_a_wait_of_nothing_does_not_keep_a_worker_busy_for_days(settings: dict[str, Any]) -> None:
    made, bounded = handler(**settings), handler(**settings, max_attempts=50)

    assert [after(made, ValueError(), attempt) for attempt in (1, 9, 10, 11)] == [0, 0, 1, 1]
    assert after(made, Retry(after=0), 10) == 1
    assert after(made, Retry(after=5), 10) == 5
    assert after(made, Discard(), 10) is None
    assert after(bounded, ValueError(), 10) == 0


def fails(attempt: int) -> NoReturn:
    raise RuntimeError("no idea")


def leaves(attempt: int) -> NoReturn:
    raise SystemExit


@pytest.mark.parametrize(
    "wait",
    [
        fails,
        leaves,
        lambda attempt: None,
        lambda attempt: "5",
        lambda attempt: -1,
        lambda attempt: float("nan"),
        lambda attempt: float("inf"),
        lambda attempt: True,
        lambda: 5,
    ],
)
@pytest.mark.parametrize("place", ["backoff", "retry_on"])
def test_a_function_that_gives_no_delay_is_logged_and_the_default_taken(
    wait: Callable[..., Any], place: str, capsys: pytest.CaptureFixture[str]
) -> None:
    made = handler(backoff=wait) if place == "backoff" else handler(retry_on={ValueError: wait})

    found = after(made, ValueError("no"), 1)

    assert found is not None
    assert 0 <= found <= 1
    assert "not a number of seconds" in "".join(capsys.readouterr())


def test_a_retry_whose_delay_makes_no_sense_is_still_a_retry() -> None:
    class Careless(Retry):
        def __init__(self) -> None:
            pass

    changed = Retry(after=1)
    changed.after = "soon"  # type: ignore[assignment]

    assert after(handler(), changed) is not None
    assert after(handler(), Careless()) is not None


def group(*errors: BaseException) -> BaseException:
    return BaseExceptionGroup("of a task group", errors)


# GROUP-1
@pytest.mark.parametrize(
    "errors",
    [
        (Discard("not for us"),),
        (group(group(Discard("not for us"))),),
        (ValueError("no"), Discard("not for us")),
        (Retry(after=5), group(Discard("not for us"))),
        (SystemExit(3), Discard("not for us")),
    ],
)
def test_a_discard_in_a_group_is_a_discard(errors: tuple[BaseException, ...]) -> None:
    found = verdict(handler(), group(*errors), 1)

    assert (found.retry_after, found.error) == (None, "not for us")


# GROUP-1
def test_a_group_waits_as_long_as_the_longest_of_its_errors_does() -> None:
    made = handler(retry_on={KeyError: 30}, backoff=lambda attempt: 7)

    assert verdict(made, group(Retry(after=5, reason="later")), 1) == Verdict(5.0, "later", True)
    assert after(made, group(Retry(after=5), ValueError("no"))) == 7
    assert after(made, group(Retry(after=5), group(KeyError("no")), ValueError("no"))) == 30
    assert not verdict(made, group(Retry(after=5), ValueError("no")), 1).expected


# GROUP-2
def test_classes_of_rules_are_looked_for_in_groups_too() -> None:
    made = handler(discard_on=[LookupError], retry_on={ConnectionError: 3})

    assert after(made, group(KeyError("no"))) is None
    assert after(made, group(ConnectionResetError("no"))) == 3
    assert after(made, group(KeyError("no"), ConnectionResetError("no"))) is None
    assert after(handler(discard_on=[ExceptionGroup]), group(ValueError("no"))) is None
    assert after(handler(retry_on={BaseExceptionGroup: 9}), group(Discard())) == 9


# GROUP-1
def test_a_retry_whose_time_cannot_be_asked_for_waits_as_others_do() -> None:
    class Mute(Retry):
        @property
        def after(self) -> float:
            raise SystemExit(1)

        @after.setter
        def after(self, value: object) -> None:
            pass

    assert after(handler(backoff=lambda attempt: 7), Mute()) == 7
