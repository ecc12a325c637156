"""Classic netCDF files (netCDF-3), which are no HDF5 files and are refused."""

from __future__ import annotations

from ..errors import SourceError
from .source import Source, SourceFile, SourceOptions


def is_classic_netcdf(file: SourceFile) -> bool:
    """Return whether a file begins as classic netCDF, of any of its versions."""
    return file.head[:3] == b"CDF" and file.head[3:4] in (b"\x01", b"\x02", b"\x05")


def refuse_classic_netcdf(file: SourceFile, options: SourceOptions) -> Source:
    """Raise SourceError, which says how such a file is packed."""
    variable = (file.inner or "name").strip("/")
    raise SourceError(
        f"{file.path} is a classic netCDF file (netCDF-3), which only other programs read: pack "
        f"xarray.open_dataset({str(file.path)!r}, mask_and_scale=False)[{variable!r}], or make a "
        "netCDF-4 file of it by 'nccopy -k nc4 IN OUT'"
    )
