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

from .operations import Image, Op, Piece, covers, do, enter, tear, write

# Of up to so many unsynced operations every subset is looked at.
_EXHAUSTIVE = 6
_RANDOM_SUBSETS = 4


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
        self.base: bytes | bytearray = contents  # copied only once it changes
        self.since: list[_Unsynced] = []

    def settle(self) -> None:
        """Take over what is durable and has nothing unsynced before it."""
        if not isinstance(self.base, bytearray):
            self.base = bytearray(self.base)
        count = 0
        for each in self.since:
            if not each.durable:
                break
            do(self.base, each.op)
            count += 1
        del self.since[:count]


class WriteCache:
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
        names = {name: inode for name, inode in self._names.items() if name == path}
        for each in self._entries:
            if path in (each.op.path, each.op.was):
                enter(names, each.op)
        return names.get(path)

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
            if op.kind in ("create", "delete", "rename"):
                self._entries.append(each)
            else:
                self._files[op.inode].since.append(each)
            if op.kind == "create":
                self._files[op.inode] = _File(b"")
            if op.folder:
                self._sync_folder(op.path)

    def images(self, random: Random, most: int, *, newest: bool = False) -> Iterator[Image]:
        """Return what a power loss now may leave: at most `most` images, and a torn one.

        Args:
            newest: Only those with the newest operation in them: the others were possible
                before it.
        """
        unsynced = list(self._unsynced)
        subsets = list(_all_subsets(unsynced, newest=newest))
        if len(unsynced) > _EXHAUSTIVE:
            subsets += [_a_subset(unsynced, random, newest=newest) for _ in range(_RANDOM_SUBSETS)]
        if len(subsets) > most and len(unsynced) <= _EXHAUSTIVE:
            subsets = random.sample(subsets, most)
        elif len(subsets) > most:
            subsets = [_a_subset(unsynced, random, newest=newest) for _ in range(most)]
        for kept in subsets:
            yield self._image(set(kept), {})
        torn = len(unsynced) if newest else random.randint(0, len(unsynced))
        if torn and unsynced[torn - 1].op.kind == "write":
            yield self._torn(unsynced[:torn], random)

    def image(self, random: Random) -> Image:
        """Return one image of what a power loss now may leave."""
        unsynced = list(self._unsynced)
        if unsynced and random.random() < 0.15:
            return self._torn(unsynced[: random.randint(1, len(unsynced))], random)
        return self._image(set(_a_subset(unsynced, random, newest=False)), {})

    def _torn(self, kept: Sequence[_Unsynced], random: Random) -> Image:
        last = kept[-1]
        if last.op.kind != "write":
            return self._image(set(kept), {})
        return self._image(set(kept), {last: list(tear(last.op, random))})

    def _image(
        self, kept: Collection[_Unsynced], torn: Mapping[_Unsynced, Sequence[Piece]]
    ) -> Image:
        names = dict(self._names)
        for each in self._entries:
            if each in kept:
                enter(names, each.op)
        image = {}
        for path, inode in names.items():
            file = self._files[inode]
            if not file.since and isinstance(file.base, bytes):
                image[path] = file.base
                continue
            contents = bytearray(file.base)
            for each in file.since:
                if each in torn:
                    for offset, data in torn[each]:
                        write(contents, offset, data)
                elif each.durable or each in kept:
                    do(contents, each.op)
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
        file.settle()
        if op.folder:
            self._sync_folder(op.path)

    def _forget_covered(self, file: _File) -> None:
        """What was written again after a failed sync is as good as any other."""
        for each in [each for each in file.since if each.doomed]:
            later = file.since[file.since.index(each) + 1 :]
            if any(other.durable and covers(other.op, each.op) for other in later):
                file.since.remove(each)
                self._unsynced.pop(each, None)

    def _sync_folder(self, path: str) -> None:
        folder = os.path.dirname(path)
        for each in [each for each in self._entries if os.path.dirname(each.op.path) == folder]:
            self._entries.remove(each)
            self._unsynced.pop(each, None)
            inode = self._names.get(each.op.path)
            enter(self._names, each.op)
            if each.op.kind != "create" and inode is not None:
                for gone in self._files[inode].since:  # of the file that has no name now
                    self._unsynced.pop(gone, None)


def _all_subsets(unsynced: Sequence[_Unsynced], *, newest: bool) -> Iterator[Sequence[_Unsynced]]:
    """Return every subset of a few; of many the first ones, all but one, and each alone."""
    if len(unsynced) <= _EXHAUSTIVE:
        fixed = tuple(unsynced[-1:]) if newest else ()
        free = unsynced[: len(unsynced) - len(fixed)]
        for size in range(len(free) + 1):
            for chosen in itertools.combinations(free, size):
                yield chosen + fixed
        return
    yield unsynced
    for index, each in enumerate(unsynced):
        if not newest or each is unsynced[-1]:
            yield [each]
        if not newest or each is not unsynced[-1]:
            yield [*unsynced[:index], *unsynced[index + 1 :]]
        if not newest:
            yield unsynced[:index]


def _a_subset(
    unsynced: Sequence[_Unsynced], random: Random, *, newest: bool
) -> Sequence[_Unsynced]:
    """Choose how a subset is made, and then one that is made so."""
    if not unsynced:
        return ()
    way = random.randrange(6)
    index = random.randrange(len(unsynced))
    if way == 0:
        kept = unsynced
    elif way == 1:
        kept = unsynced[:index]
    elif way == 2:
        kept = [unsynced[index]]
    elif way == 3:
        kept = [*unsynced[:index], *unsynced[index + 1 :]]
    elif way == 4:
        kept = [each for each in unsynced if random.random() < 0.5]
    else:  # of some files all, of the others nothing
        files = {inode for inode in {each.op.inode for each in unsynced} if random.random() < 0.5}
        kept = [each for each in unsynced if each.op.inode in files]
    if newest and (not kept or kept[-1] is not unsynced[-1]):
        return [*kept, unsynced[-1]]
    return kept
