"""What handlers write in their transactions, to be counted."""

from __future__ import annotations

from .model.queues import Job

TABLE = "sim_effects"
CREATE = "create table sim_effects (name text)"
INSERT = "insert into sim_effects values (?)"


def of_job(job: Job) -> str:
    """Return the name under which a job's effects are written."""
    return f"message {job.message}"
