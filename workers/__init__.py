"""The pool: a supervisor and its worker processes."""

from .pool import PoolOptions, run_pool
from .process.process import Role

__all__ = ["PoolOptions", "Role", "run_pool"]
