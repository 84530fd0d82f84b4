"""The documents, and the Python in them."""

from __future__ import annotations

import re

import pytest

from .root import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
EXAMPLES = [
    pytest.param(code, id=f"{document.name}-{index}")
    for document in DOCUMENTS
    if document.name != "frameworks.md"  # tests/frameworks runs those, in their frameworks
    for index, code in enumerate(
        re.findall(r"```python\n(.*?)```", document.read_text(), re.DOTALL)
    )
]
