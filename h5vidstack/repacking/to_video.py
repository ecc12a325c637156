"""The conversion of stacks of images to coded video at their paths, with index and hashes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import h5py

from ..errors import OutputError
from ..layout.names import BESIDE, is_stack
from ..pool import Progress
from .candidates import Left, image_stacks
from .conversion import Conversion, Repacked, open_stack
from .file_comparison import Equal
from .filtered import DatasetPlan, Filtered, How, fill, plan, put_beside
from .to_plain import layout_record
from .tree import address, is_hard, shown

_Coded = tuple[str, float | None]
"""How a dataset is coded, in words, and its largest error; see `Repacked`."""


class ToVideo(Conversion):
    """The conversion of stacks of images to coded datasets.

    Parameters
    ----------
    select
        Patterns of paths; see `image_stacks`.
    how
        How the stacks are coded.

    Raises
    ------
    OutputError
        If the file has something else at the place for the stacks beside the datasets.
    """

    def __init__(
        self, file: h5py.File, select: Sequence[str], how: How, progress: Progress | None
    ) -> None:
        super().__init__(file, progress)
        self._how = how
        self._plans: dict[int, DatasetPlan] = {}
        self._made: dict[int, tuple[DatasetPlan, Filtered]] = {}
        paths, self.left = image_stacks(file, select)
        for path in paths:
            dataset = file[path]
            planned = plan(dataset, path, how)
            if planned.estimate < planned.stored_bytes:
                self._make_room(BESIDE.encode() + path)
                self._plans[address(dataset)] = planned
                recipe = planned.recipe
                bound = None if recipe.noise is not None else recipe.absolute
                self._note(dataset, planned, planned.estimate, (str(recipe), bound))
            else:
                self._leave(planned)
        self._count = 2 * sum(planned.frames for planned in self._plans.values())

    def make(self, node: h5py.HLObject, new: h5py.File) -> h5py.HLObject | None:
        """See `Conversion`."""
        planned = self._plans.get(address(node))
        if planned is None or not isinstance(node, h5py.Dataset):
            return None
        if not self._made:
            self.replaced = []  # until now it held estimates
        made = fill(node, new, self._how, planned, self._more)
        if made.stored_bytes >= planned.stored_bytes:
            self._leave(planned)
            return None
        self._made[address(node)] = planned, made
        self._note(node, planned, made.stored_bytes, (made.coding, made.lost.max_error))
        return made.data

    def finish(self, new: h5py.File) -> None:
        """See `Conversion`."""
        for planned, made in self._made.values():
            dataset = self.file[planned.path]
            put_beside(new, planned, made, {"original": layout_record(dataset)})

    def comparisons(self, path: Path) -> Mapping[int, Equal]:
        """See `Conversion`."""

        def equal(node: h5py.Dataset, copy: h5py.Dataset) -> bool:
            planned, _ = self._made[address(node)]
            with open_stack(path, planned.path) as stack:
                # One frame is read as any program reads it, then all frames by all cores.
                first = copy[(0,) * (copy.ndim - len(stack.shape) + 1)]
                return first.tobytes() == stack[0].tobytes() and self._same_pixels(
                    node, stack, planned.recipe
                )

        return dict.fromkeys(self._made, equal)

    def _make_room(self, path: bytes) -> None:
        """Check that a stack can be made at a path; an old stack there is omitted."""
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
            f"{self.file.filename} has something else at {BESIDE}, which is the place for "
            f"the hashes of {shown(path[len(BESIDE) :])}: rename that first"
        )

    def _leave(self, planned: DatasetPlan) -> None:
        self.left.append(Left(path=shown(planned.path), why="it would become no smaller"))

    def _note(
        self,
        dataset: h5py.Dataset,
        planned: DatasetPlan,
        after: int,
        coded: tuple[str, float | None],
    ) -> None:
        """Note a dataset that is made anew: its bytes, how it is coded, and its largest error."""
        coding, max_error = coded
        self.replaced.append(
            Repacked(
                path=shown(planned.path),
                shape=dataset.shape,
                dtype=dataset.dtype.name,
                before=planned.stored_bytes,
                after=after,
                coding=coding,
                max_error=max_error,
            )
        )
