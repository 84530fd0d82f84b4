"""What of the files would be there after a power loss, worked out as they are written.

What was written to a file before it was synced is on the disk; of what was written since,
any part may be, and the last of it torn. A file's name is on the disk once its folder was
synced. After a sync that failed the kernel takes what it could not write for written, so a
later sync does not save it (Rebello et al., "Can Applications Recover from fsync
Failures?", ATC 2020).
"""

from __future__ import annotations

import itertools
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from random import Random
from typing import Literal, NamedTuple

SECTOR = 512

# Of up to so many unsynced operations every subset is looked at.
_EXHAUSTIVE = 6
_RANDOM_SUBSETS = 4

# The contents of every file that is there, by its full path.
Image = Mapping[str, bytes]

Piece = tuple[int, bytes]


class Op(NamedTuple):
    """Something that happened to a file.

    Attributes:
        inode: Which file; one that is made anew under an old name is another.
        offset: Of a truncate the new size.
        folder: The folder was synced with it.
    """

    kind: Literal["create", "write", "truncate", "sync", "failed sync", "delete"]
    path: str
    inode: int
    offset: int = 0
    data: bytes = b""
    folder: bool = False


class _Unsynced:
    """An operation that the disk may not have."""

    __slots__ = ("doomed", "durable", "op")

    def __init__(self, op: Op) -> None:
        self.op = op
        self.durable = False  # for ever: something before it is not
        self.doomed = False


class _File:
    __slots__ = ("base", "since")

    def __init__(self, contents: bytes) -> None:
        self.base = bytearray(contents)
        self.since: list[_Unsynced] = []


class Platter:
    """The files as they are for certain, and what may have reached them besides."""

    def __init__(self, image: Image | None = None) -> None:
        self._files: dict[int, _File] = {}
        self._names: dict[str, int] = {}
        self._entries: list[_Unsynced] = []
        self._unsynced: dict[_Unsynced, None] = {}  # in the order of time
        for number, (path, contents) in enumerate((image or {}).items()):
            self.add(path, -1 - number, contents)

    def add(self, path: str, inode: int, contents: bytes) -> None:
        """Take in a file that has been there for long."""
        self._files[inode] = _File(contents)
        self._names[path] = inode

    def inode(self, path: str) -> int | None:
        """Return which file has a name, as those see it who use the disk."""
        found = self._names.get(path)
        for each in self._entries:
            if each.op.path == path:
                found = each.op.inode if each.op.kind == "create" else None
        return found

    def paths(self) -> set[str]:
        """Return the names of all files, those included that may be gone."""
        return {*self._names, *(each.op.path for each in self._entries)}

    def apply(self, op: Op) -> None:
        """Take note of an operation."""
        if op.kind == "sync":
            self._sync(op)
        elif op.kind == "failed sync":
            for each in self._files[op.inode].since:
                each.doomed = not each.durable
        else:
            each = _Unsynced(op)
            self._unsynced[each] = None
            if op.kind in ("create", "delete"):
                self._entries.append(each)
            else:
                self._files[op.inode].since.append(each)
            if op.kind == "create":
                self._files[op.inode] = _File(b"")
            if op.folder:
                self._sync_folder(op.path)

    def images(self, random: Random, most: int, *, newest: bool = False) -> Iterator[Image]:
        """Return what a power loss now may leave: at most `most` images, and torn ones.

        Args:
            newest: Only those with the newest operation in them: the others were possible
                before it.
        """
        unsynced = list(self._unsynced)
        subsets = list(_subsets(len(unsynced), random, newest=newest))
        if len(subsets) > most:
            subsets = random.sample(subsets, most)
        for kept in subsets:
            yield self._image({unsynced[index] for index in kept}, {})
        writes = [index for index, each in enumerate(unsynced) if each.op.kind == "write"]
        if newest and writes[-1:] != [len(unsynced) - 1]:
            writes.clear()
        if writes:
            last = writes[-1] if newest else random.choice(writes)
            yield self._torn(unsynced[: last + 1], random)

    def image(self, random: Random) -> Image:
        """Return one image of what a power loss now may leave."""
        unsynced = list(self._unsynced)
        count = len(unsynced)
        if not count:
            return self._image((), {})
        way = random.randrange(6)
        if way == 0:
            kept = unsynced[: random.randint(0, count)]
        elif way == 1:
            without = random.randrange(count)
            kept = unsynced[:without] + unsynced[without + 1 :]
        elif way == 2:
            kept = [random.choice(unsynced)]
        elif way == 3:
            kept = [each for each in unsynced if random.random() < 0.5]
        elif way == 4:
            kept = unsynced
        else:
            return self._torn(unsynced[: random.randint(1, count)], random)
        return self._image(set(kept), {})

    def _torn(self, kept: Sequence[_Unsynced], random: Random) -> Image:
        last = kept[-1]
        if last.op.kind != "write":
            return self._image(set(kept), {})
        return self._image(set(kept), {last: list(_tear(last.op, random))})

    def _image(
        self, kept: Collection[_Unsynced], torn: Mapping[_Unsynced, Sequence[Piece]]
    ) -> Image:
        names = dict(self._names)
        for each in self._entries:
            if each in kept:
                if each.op.kind == "create":
                    names[each.op.path] = each.op.inode
                else:
                    names.pop(each.op.path, None)
        image = {}
        for path, inode in names.items():
            file = self._files[inode]
            contents = bytearray(file.base)
            for each in file.since:
                if each in torn:
                    for offset, data in torn[each]:
                        _write(contents, offset, data)
                elif each.durable or each in kept:
                    _do(contents, each.op)
            image[path] = bytes(contents)
        return image

    def _sync(self, op: Op) -> None:
        file = self._files[op.inode]
        for each in file.since:
            if not each.doomed:
                each.durable = True
                self._unsynced.pop(each, None)
        if any(each.doomed for each in file.since):
            self._forget_covered(file)
        while file.since and file.since[0].durable:
            _do(file.base, file.since.pop(0).op)
        if op.folder:
            self._sync_folder(op.path)

    def _forget_covered(self, file: _File) -> None:
        """What was written again after a failed sync is as good as any other."""
        for each in [each for each in file.since if each.doomed]:
            later = file.since[file.since.index(each) + 1 :]
            if any(other.durable and _covers(other.op, each.op) for other in later):
                file.since.remove(each)
                self._unsynced.pop(each, None)

    def _sync_folder(self, path: str) -> None:
        folder = os.path.dirname(path)
        for each in [each for each in self._entries if os.path.dirname(each.op.path) == folder]:
            self._entries.remove(each)
            self._unsynced.pop(each, None)
            if each.op.kind == "create":
                self._names[each.op.path] = each.op.inode
            else:
                self._names.pop(each.op.path, None)
                for gone in self._files[each.op.inode].since:
                    self._unsynced.pop(gone, None)


def _subsets(count: int, random: Random, *, newest: bool) -> Iterator[Collection[int]]:
    """Choose among `count` things: all ways of a few; of many the first ones, all but one, one."""
    if not count:
        yield ()
        return
    if count <= _EXHAUSTIVE:
        fixed = (count - 1,) if newest else ()
        free = range(count - len(fixed))
        for size in range(len(free) + 1):
            for chosen in itertools.combinations(free, size):
                yield chosen + fixed
        return
    yield range(count)
    last = {count - 1} if newest else set()
    for index in range(count - newest):
        yield set(range(count)) - {index}
        if not newest:
            yield range(index)
            yield (index,)
    if newest:
        yield last
    for _ in range(_RANDOM_SUBSETS):
        yield {index for index in range(count) if random.random() < 0.5} | last


def _tear(op: Op, random: Random) -> Iterator[Piece]:
    """Leave of each sector what was to be written, what was there, or garbage."""
    start, end = op.offset, op.offset + len(op.data)
    while start < end:
        stop = min((start // SECTOR + 1) * SECTOR, end)
        fate = random.randrange(3)
        if fate == 0:
            yield start, op.data[start - op.offset : stop - op.offset]
        elif fate == 1:
            yield start, random.randbytes(stop - start)
        start = stop


def _covers(later: Op, earlier: Op) -> bool:
    if later.kind == "truncate":
        return later.offset <= earlier.offset
    return (
        later.offset <= earlier.offset
        and later.offset + len(later.data) >= earlier.offset + len(earlier.data)
        and earlier.kind == "write"
    )


def _do(contents: bytearray, op: Op) -> None:
    if op.kind == "write":
        _write(contents, op.offset, op.data)
    elif op.offset < len(contents):
        del contents[op.offset :]
    else:
        contents.extend(bytes(op.offset - len(contents)))


def _write(contents: bytearray, offset: int, data: bytes) -> None:
    if offset > len(contents):
        contents.extend(bytes(offset - len(contents)))
    contents[offset : offset + len(data)] = data
