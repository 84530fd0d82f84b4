"""Event patterns that no event of their provider can match."""

from __future__ import annotations

import difflib
import fnmatch
import re

# Source: docs.github.com/en/webhooks/webhook-events-and-payloads
_GITHUB = frozenset(
    [
        "branch_protection_configuration",
        "branch_protection_rule",
        "check_run",
        "check_suite",
        "code_scanning_alert",
        "commit_comment",
        "create",
        "custom_property",
        "custom_property_values",
        "delete",
        "dependabot_alert",
        "deploy_key",
        "deployment",
        "deployment_protection_rule",
        "deployment_review",
        "deployment_status",
        "discussion",
        "discussion_comment",
        "fork",
        "github_app_authorization",
        "gollum",
        "installation",
        "installation_repositories",
        "installation_target",
        "issue_comment",
        "issue_dependencies",
        "issues",
        "label",
        "marketplace_purchase",
        "member",
        "membership",
        "merge_group",
        "meta",
        "milestone",
        "org_block",
        "organization",
        "package",
        "page_build",
        "personal_access_token_request",
        "ping",
        "project",
        "project_card",
        "project_column",
        "projects_v2",
        "projects_v2_item",
        "projects_v2_status_update",
        "public",
        "pull_request",
        "pull_request_review",
        "pull_request_review_comment",
        "pull_request_review_thread",
        "push",
        "registry_package",
        "release",
        "repository",
        "repository_advisory",
        "repository_dispatch",
        "repository_import",
        "repository_ruleset",
        "repository_vulnerability_alert",
        "secret_scanning_alert",
        "secret_scanning_alert_location",
        "secret_scanning_scan",
        "security_advisory",
        "security_and_analysis",
        "sponsorship",
        "star",
        "status",
        "sub_issues",
        "team",
        "team_add",
        "watch",
        "workflow_dispatch",
        "workflow_job",
        "workflow_run",
    ]
)
# Their payloads have no action, so the event has no dot.
_WITHOUT_ACTION = frozenset(
    [
        "create",
        "delete",
        "fork",
        "gollum",
        "page_build",
        "ping",
        "public",
        "push",
        "repository_import",
        "security_and_analysis",
        "status",
        "team_add",
        "workflow_dispatch",
    ]
)

# Source: docs.slack.dev/reference/events: these are names of subscriptions; the type that is
# sent is "message" for each of them.
_SLACK_SUBSCRIPTIONS = frozenset(
    {"message.channels", "message.groups", "message.im", "message.mpim", "message.app_home"}
)

# Source: docs.stripe.com/api/events/types
_STRIPE = re.compile(r"[a-z0-9_.]*")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CLASS = re.compile(r"\[.[^]]*\]")


def why_never(scheme: str, pattern: str) -> str | None:
    """Return why a pattern matches no event of a scheme, None when it may match one.

    An unknown event may exist, because providers add events from time to time.
    """
    if _CONTROL.search(pattern) or (pattern and pattern.isspace()):
        return "no event has such a name"
    if scheme == "github":
        return _github(pattern)
    if scheme == "stripe":
        return _stripe(pattern)
    if scheme == "slack" and pattern in _SLACK_SUBSCRIPTIONS:
        return 'Slack sends the type "message" for it'
    return None


def _github(pattern: str) -> str | None:
    head, dot, _ = pattern.partition(".")
    if "*" in head:
        rest = head.replace("*", "")
        if not rest or dot:
            return None
    known = [event for event in _GITHUB if fnmatch.fnmatchcase(event, head)]
    if not known:
        close = difflib.get_close_matches(head.lower(), sorted(_GITHUB), 1)
        return "GitHub has no such event" + (f"; did you mean {close[0]!r}?" if close else "")
    if dot and _WITHOUT_ACTION.issuperset(known):
        return f"{known[0]!r} has no action, so it is the whole name"
    return None


def _stripe(pattern: str) -> str | None:
    literal = _CLASS.sub("", pattern).replace("*", "").replace("?", "")
    if pattern and _STRIPE.fullmatch(literal):
        return None
    return "Stripe's events are named like 'invoice.paid'"
