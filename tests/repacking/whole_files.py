"""HDF5 files that hold everything that a file can hold."""

from pathlib import Path

import h5py
import numpy as np
from frames import moving
from h5py import h5o

from h5vidstack.repacking.repacker import repack


def drifting(shape, dtype=np.uint8):
    """Smooth frames of any shape that counts, ``(..., H, W)``."""
    count = int(np.prod(shape[:-2]))
    return moving((count, *shape[-2:])).astype(dtype).reshape(shape)


def everything(name):
    """Attributes, links and values of a file, as h5py gives them, references as paths."""
    found = {}

    def path_of(reference, file):
        paths = {h5o.get_info(file.id).addr: "/"}

        def note(name, node):
            paths.setdefault(h5o.get_info(node.id).addr, name)

        file.visititems(note)
        return paths[h5o.get_info(file[reference].id).addr]

    def clean(value, file):
        if isinstance(value, h5py.RegionReference):
            if not value:
                return None
            region = h5py.h5r.get_region(value, file.id)
            return (path_of(value, file), region.get_select_bounds(), region.get_select_npoints())
        if isinstance(value, h5py.Reference):
            return path_of(value, file) if value else None
        if isinstance(value, h5py.Empty):
            return ("empty", value.dtype.str)
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            return [clean(item, file) for item in value.ravel()] + [value.shape]
        if isinstance(value, np.ndarray) and value.dtype.names:
            return [
                [clean(row[field], file) for field in value.dtype.names] for row in value.ravel()
            ]
        if isinstance(value, np.void) and value.dtype.names:
            return [clean(value[field], file) for field in value.dtype.names]
        if isinstance(value, (np.ndarray, np.generic)):
            return (value.dtype.str, value.shape, value.tobytes())
        return value

    def visit(group, path, file):
        for key in group:
            where = f"{path}/{key}"
            link = group.get(key, getlink=True)
            if isinstance(link, (h5py.SoftLink, h5py.ExternalLink)):
                found[where] = (type(link).__name__, link.path, getattr(link, "filename", None))
                continue
            node = group[key]
            attrs = [(name, clean(value, file)) for name, value in node.attrs.items()]
            if isinstance(node, h5py.Group):
                found[where] = ("group", [name for name in node if name != "h5vidstack"], attrs)
                if node.name not in path and key != "loop":
                    visit(node, where, file)
            elif isinstance(node, h5py.Dataset):
                space = (node.shape, node.maxshape, h5py.check_enum_dtype(node.dtype))
                found[where] = (
                    space,
                    str(node.dtype),
                    attrs,
                    clean(node[()], file),
                    node.fillvalue,
                )
            else:
                found[where] = (str(node.dtype), attrs)

    with h5py.File(name) as file:
        found[""] = (list(file), [(key, clean(value, file)) for key, value in file.attrs.items()])
        visit(file, "", file)
    return found


def some_stacks():
    with h5py.File("in.h5", "w") as file:
        for name in ("a/x", "a/y", "b/x"):
            file[name] = drifting((20, 64, 64))
        file["table"] = np.zeros((2000, 5, 7))
        file["small"] = drifting((3, 20, 20))
        file["image"] = np.zeros((400, 500, 3), "u1")
        file["noise"] = np.random.default_rng(0).integers(0, 256, (4, 200, 200), "u1")


def pipeline(dataset):
    plist = dataset.id.get_create_plist()
    return [plist.get_filter(number) for number in range(plist.get_nfilters())]


def beside():
    """A packed file with two datasets, one of several axes."""
    with h5py.File("in.h5", "w") as file:
        data = file.create_dataset("entry/data", (40, 64, 80), "u1", maxshape=(None, 64, 80))
        data[...] = drifting((40, 64, 80))
        file["entry/volumes"] = drifting((5, 12, 64, 80)).astype(">u2")
    repack("in.h5", "out.h5")
    return drifting((40, 64, 80)), drifting((5, 12, 64, 80)).astype(">u2")


TEXT = h5py.string_dtype()


def rich(name="in.h5", **options):
    """A file with about everything that HDF5 has; h5diff has nothing to say of a copy."""
    with h5py.File(name, "w", **options) as file:
        entry = file.create_group("entry", track_order=True)
        data = entry.create_group("data", track_order=True)
        file.attrs["default"] = "entry"
        data.attrs["axes"] = np.array(["time", "y", "x"], dtype=TEXT)
        frames = data.create_dataset(
            "data",
            data=drifting((40, 40, 64)),
            chunks=(1, 40, 64),
            maxshape=(None, 40, 64),
            compression="gzip",
            shuffle=True,
            fillvalue=7,
        )
        for number in range(20):  # so many that HDF5 keeps them elsewhere
            frames.attrs[f"attribute {number}"] = np.arange(number)
        data["time"] = np.arange(40) * 0.1
        data["time"].make_scale("time")
        frames.dims[0].attach_scale(data["time"])
        frames.dims[1].label = "y"
        entry["a/b/same"] = frames
        entry["soft"] = h5py.SoftLink("/entry/data/data")
        entry["dangling"] = h5py.SoftLink("/nowhere")
        entry["external"] = h5py.ExternalLink("other.h5", "/x")
        entry["loop"] = file["/"]
        table = np.dtype([("name", TEXT), ("at", "f8", (2,)), ("ref", h5py.ref_dtype)])
        rows = np.zeros(3, table)
        rows["name"] = [b"a", "\xe9".encode(), b""]
        rows["ref"] = [frames.ref, entry.ref, h5py.Reference()]
        file["table"] = rows
        file["regions"] = np.array(
            [frames.regionref[3:5, ::2], data["time"].regionref[1:4]], dtype=h5py.regionref_dtype
        )
        file["strings"] = np.array(["one", "", "three"], dtype=TEXT)
        ragged = file.create_dataset("ragged", (3,), h5py.vlen_dtype(np.int16))
        ragged[0], ragged[2] = [1, 2, 3], [-1]
        refs = file.create_dataset("refs of refs", (2,), h5py.vlen_dtype(h5py.ref_dtype))
        refs[1] = np.array([frames.ref, file["strings"].ref], dtype=h5py.ref_dtype)
        file["named type"] = np.dtype([("x", "<i4"), ("s", TEXT)])
        named = file.create_dataset("of a named type", (2,), file["named type"])
        named[0] = (5, "abc")
        frames.attrs.create("typed", np.zeros((), np.int32), dtype=np.int32)
        file["colours"] = h5py.enum_dtype({"red": 0, "blue": 7}, "u1")
        file["painted"] = np.zeros(4, "u1")
        file.create_dataset("enumerated", (3,), h5py.enum_dtype({"no": 0, "yes": 1}, "i2"))
        file["scalar"], file["nothing"] = 3.5, h5py.Empty("f4")
        file.create_dataset("unwritten", (10, 50, 60), "u2")
        file.create_dataset("empty", (0, 50, 60), "u2", maxshape=(None, 50, 60))
        file.create_dataset("complex", data=np.ones((4, 50, 60), np.complex64))
        file.create_dataset("opaque", data=np.void(b"\x00\x01\x02"))
        file.create_dataset("bits", data=np.array([1, 0, 1], bool))
        layout = h5py.VirtualLayout((40, 40, 64), "u1")
        layout[:] = h5py.VirtualSource(".", "entry/data/data", (40, 40, 64))
        file.create_virtual_dataset("virtual", layout)
        h5o.set_comment(entry.id, b"a comment")
        file["entry"].attrs.create("refs", [frames.ref, data.ref], dtype=h5py.ref_dtype)
        file["gr\xfc\xdfe"] = 1
        frames.attrs["\xfcber"] = "\xe4"
    return Path(name)
