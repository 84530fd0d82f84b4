"""Files without a name: unlike a pipe, nobody has to feed them."""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from tempfile import TemporaryFile


@contextlib.contextmanager
def memfd(content: bytes, label: str = "fencepost") -> Iterator[int]:
    """Make one, and give its descriptor, which stands at its beginning.

    `label` is what /proc shows; it stands for nothing.
    """
    linux = sys.platform == "linux"
    with os.fdopen(os.memfd_create(label), "w+b") if linux else TemporaryFile() as file:
        file.write(content)
        file.seek(0)
        yield file.fileno()
