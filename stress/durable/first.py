"""What only the first of several processes does."""

from __future__ import annotations

import os
from pathlib import Path


def is_first(name: str, text: str = "") -> bool:
    """True for the one, of all that ask in this folder, that comes first; its text is kept there."""
    new = Path(f".{name}-{os.getpid()}")
    new.write_text(text)
    try:
        os.link(new, name)
    except FileExistsError:
        return False
    finally:
        new.unlink()
    return True
