"""Count pushes and pull requests: an app for `fencepost up examples/github.py`.

    export GITHUB_WEBHOOK_SECRET=...   # as entered in the repository's webhook settings
    fencepost up examples/github.py

The receiver takes POST /in/github; each handler writes into the same SQLite file, in the
transaction that ends its message.
"""

import os

from fencepost import App, Context, Message

app = App(os.environ.get("FENCEPOST_STORE", "github.db"))
app.source("github", scheme="github", secret=os.environ["GITHUB_WEBHOOK_SECRET"])


@app.on("github")
def note(message: Message, ctx: Context) -> None:
    """Write down who handled what; exactly once, whatever crashes."""
    with ctx.transaction() as tx:
        tx.execute("create table if not exists handled (key text, event text, worker integer)")
        tx.execute(
            "insert into handled values (?, ?, ?)", (message.key, message.event, os.getpid())
        )
