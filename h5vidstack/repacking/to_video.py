"""Stacks of images become coded video at their paths, with hashes and index beside them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py

from ..errors import OutputError
from ..layout.names import BESIDE, is_stack
from ..pool import Progress
from .candidates import Left, image_stacks
from .filtered import Filtered, How, Plan, fill, plan, put_beside
from .job import Job, Repacked, address, open_stack
from .proof import Equal
from .to_plain import layout_record
from .tree import is_hard, shown


class ToVideo(Job):
    """See `Job`.

    Parameters
    ----------
    select
        See `image_stacks`.
    how
        They are coded.

    Raises
    ------
    OutputError
        If the file has something else where the stacks beside the datasets go.
    """

    def __init__(
        self, file: h5py.File, select: Sequence[str], how: How, progress: Progress | None
    ) -> None:
        super().__init__(file, progress)
        self._how = how
        self._plans: dict[int, Plan] = {}
        self._made: dict[int, tuple[Plan, Filtered]] = {}
        paths, self.left = image_stacks(file, select)
        for path in paths:
            dataset = file[path]
            planned = plan(dataset, path, how)
            if planned.estimate < planned.stored_bytes:
                self._make_room(BESIDE.encode() + path)
                self._plans[address(dataset)] = planned
                self._note(dataset, planned, planned.estimate, str(planned.recipe))
            else:
                self._leave(planned)
        self._count = 2 * sum(planned.frames for planned in self._plans.values())

    def make(self, node: h5py.HLObject, new: h5py.File) -> h5py.HLObject | None:
        """See `Job`."""
        planned = self._plans.get(address(node))
        if planned is None or not isinstance(node, h5py.Dataset):
            return None
        if not self._made:
            self.replaced = []  # those were estimates
        made = fill(node, new, self._how, planned, self._more)
        if made.stored_bytes >= planned.stored_bytes:
            self._leave(planned)
            return None
        self._made[address(node)] = planned, made
        self._note(node, planned, made.stored_bytes, made.coding)
        return made.data

    def finish(self, new: h5py.File) -> None:
        """See `Job`."""
        for planned, made in self._made.values():
            dataset = self.file[planned.path]
            put_beside(new, planned, made, {"original": layout_record(dataset)})

    def comparisons(self, path: Path) -> Mapping[int, Equal]:
        """See `Job`."""

        def equal(node: h5py.Dataset, copy: h5py.Dataset) -> bool:
            with open_stack(path, self._made[address(node)][0].path) as stack:
                # Once as any program reads it, then all of it by all cores.
                first = copy[(0,) * (copy.ndim - len(stack.shape) + 1)]
                return first.tobytes() == stack[0].tobytes() and self._same_pixels(node, stack)

        return dict.fromkeys(self._made, equal)

    def _make_room(self, path: bytes) -> None:
        """Check that a stack can be made at a path; one that was beside another dataset goes."""
        node: h5py.HLObject | None = self.file["/"]
        for name in path.strip(b"/").split(b"/"):
            if not isinstance(node, h5py.Group) or is_stack(node):
                break
            if not node.id.links.exists(name):
                return
            node = node[name] if is_hard(node, name) else None
        else:
            if is_stack(node):
                self.omitted.add(address(node))
                return
        raise OutputError(
            f"{self.file.filename} has something else at {BESIDE}, where hashes of "
            f"{shown(path[len(BESIDE) :])} go: rename that first"
        )

    def _leave(self, planned: Plan) -> None:
        self.left.append(Left(shown(planned.path), "it would become no smaller"))

    def _note(self, dataset: h5py.Dataset, planned: Plan, after: int, coding: str) -> None:
        self.replaced.append(
            Repacked(
                shown(planned.path), dataset.shape, dataset.dtype.name, planned.stored_bytes,
                after, coding,
            )
        )  # fmt: skip
