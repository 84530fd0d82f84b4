"""The workers: processes that do what the store keeps."""

from .pool import PoolOptions, run_pool
from .process.process import Role

__all__ = ["PoolOptions", "Role", "run_pool"]
