"""What the checker has looked at so far, and what it found."""

from __future__ import annotations

from collections import Counter

from ..records.report import Finding


class Verdict:
    """Counts looks and findings; the first few findings of each invariant are kept."""

    _MOST = 5

    def __init__(self) -> None:
        self.checked: Counter[str] = Counter()
        self.findings: list[Finding] = []
        self._found: Counter[str] = Counter()

    def check(self, invariant: str, holds: bool, what: str) -> None:
        """Look once; `what` tells what was seen when it does not hold."""
        self.checked[invariant] += 1
        if not holds:
            self._found[invariant] += 1
            if self._found[invariant] <= self._MOST:
                self.findings.append(Finding(invariant, what))
