"""NeXus: which dataset a group shows (NXdata), and what its axes are.

Source: the NeXus manual, "NXdata" and "Associating plottable data".
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import h5py
import numpy as np

from ..array_description import ArrayDescription, as_text
from .attributes import add_values
from .links import object_key

DEEPEST = 8
"""Groups name the group to show in them, and these another one, at most so many in a row."""
NO_FIELD = "."
"""Stands for an axis without values."""


def shown(node: Any) -> tuple[h5py.Group, h5py.Dataset] | None:
    """Return the dataset that a group shows by default, and the NXdata group that it is in.

    None if the attributes ``default`` and ``signal`` lead to none.
    """
    for _ in range(DEEPEST):
        if not isinstance(node, h5py.Group):
            return None
        signal = _member(node, _text(node.attrs, "signal"))
        if isinstance(signal, h5py.Dataset):
            return node, signal
        node = _member(node, _text(node.attrs, "default"))
    return None


@dataclass(frozen=True)
class NexusData:
    """A group that shows a dataset, with values along its axes.

    Attributes
    ----------
    group
        The group, of the class NXdata.
    axes
        The name of the field of each axis, or `NO_FIELD`.
    fields
        The axes of each field with values.
    """

    group: h5py.Group
    axes: tuple[str, ...]
    fields: Mapping[str, tuple[int, ...]]

    @staticmethod
    def of(group: h5py.Group, dataset: h5py.Dataset) -> NexusData | None:
        """Read what a group says of a dataset in it; None if it does not show this dataset."""
        signals = [_text(group.attrs, "signal"), *_texts(group.attrs, "auxiliary_signals")]
        members = [_member(group, name) for name in signals if name]
        found = any(
            isinstance(member, h5py.Dataset) and object_key(member) == object_key(dataset)
            for member in members
        )
        if not found and _text(group.attrs, "NX_class") != "NXdata":
            return None
        axes = _texts(group.attrs, "axes") if found else []
        axes = axes or _split(_text(dataset.attrs, "axes"))
        if not found and not axes:
            return None
        fields: dict[str, tuple[int, ...]] = {}
        for axis, name in enumerate(axes):
            if name != NO_FIELD:
                fields[name] = (axis,)
        for key in group.attrs:
            name = key.removesuffix("_indices")
            if name != key and (indices := _indices(group.attrs[key])) is not None:
                fields[name] = indices
        return NexusData(group, tuple(axes), fields)

    def describe(self, dataset: h5py.Dataset, description: ArrayDescription) -> None:
        """Add the names of the axes, the values along them, and the title."""
        from_fields = [
            name if name != NO_FIELD and self.fields.get(name) == (axis,) else None
            for axis, name in enumerate(self.axes[: dataset.ndim])
        ]
        missing = dataset.ndim - len(from_fields)
        description.name_axes([*from_fields, *[None] * missing])
        if not description.dims and self.fields:
            description.name_usual_axes()
        for name, indices in self.fields.items():
            field = _member(self.group, name)
            if not isinstance(field, h5py.Dataset):
                continue
            if any(not 0 <= axis < dataset.ndim for axis in indices):
                description.leave_out(name, f"it is along axes {indices}, which are not there")
                continue
            dims = tuple(description.dims[axis] for axis in indices)
            add_values(description, name, dims if field.ndim else (), field)
        title = _member(self.group, "title")
        if isinstance(title, h5py.Dataset) and h5py.check_string_dtype(title.dtype):
            value = np.asarray(title[()]).ravel()
            if len(value) == 1 and "title" not in dataset.attrs:
                description.add_attribute("title", as_text(value[0]))


def _member(group: h5py.Group, name: str) -> Any:
    """Return an object in a group; None if there is none."""
    try:
        return group.get(name) if name else None
    except (KeyError, OSError, RuntimeError):
        return None


def _text(attrs: h5py.AttributeManager, name: str) -> str:
    found = _texts(attrs, name)
    return found[0] if len(found) == 1 else ""


def _texts(attrs: h5py.AttributeManager, name: str) -> list[str]:
    """Return an attribute that is one text or several."""
    try:
        value = np.asarray(attrs.get(name, ())).ravel().tolist()
    except (OSError, RuntimeError, TypeError):
        return []
    return [as_text(text) for text in value if isinstance(text, str | bytes)]


def _split(axes: str) -> list[str]:
    """Split the names of axes in one text, as older files have them: ``time:y:x``."""
    return [name for name in re.split(r"[:,\s]+", axes.strip("[] ")) if name]


def _indices(value: Any) -> tuple[int, ...] | None:
    numbers = np.asarray(value).ravel()
    return tuple(map(int, numbers.tolist())) if numbers.dtype.kind in "iu" else None
