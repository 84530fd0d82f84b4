from typing import Any

class ForkingPickler:
    @classmethod
    def dumps(cls, obj: Any) -> memoryview: ...
    @staticmethod
    def loads(data: bytes) -> Any: ...
