"""Group commit when one draft cannot be stored: the others are not made to pay."""

from __future__ import annotations

import asyncio
from pathlib import Path

from fencepost import connect
from fencepost.ingest.committer import Committer
from fencepost.store.types.message import Draft


def _draft(key: str, event: str = "") -> Draft:
    return Draft(scope="s", source="s", key=key, event=event, headers={}, body=b"", addresses=[])


def test_a_draft_that_cannot_be_stored_fails_alone(tmp_path: Path) -> None:
    drafts = [_draft("1"), _draft("2", event="\ud800"), _draft("3")]

    async def commit() -> list[object]:
        committer = Committer(store.engine)
        answers = await asyncio.gather(*map(committer.commit, drafts), return_exceptions=True)
        again = await committer.commit(_draft("4"))
        await committer.close()
        return [*answers, again]

    with connect(tmp_path / "store.db") as store:
        one, two, three, four = asyncio.run(commit())

    assert isinstance(two, UnicodeEncodeError)
    assert [getattr(receipt, "status", None) for receipt in (one, three, four)] == ["accepted"] * 3
