"""Builds the C core, and the HDF5 plugin by which programs other than Python read stacks.

All else is in pyproject.toml. Without a C compiler the package installs, too: then numpy does
the core's work, more slowly, and there is no plugin.
"""

import os
import sys
from glob import glob

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_ext import build_ext

WITHOUT_SYMBOLS = ["-s"] if sys.platform == "linux" else []
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-std=gnu11", "-ffp-contract=off"]
CORE = Extension(
    "h5vidstack._core",
    sorted(glob("h5vidstack/_core/*.c")),
    depends=sorted(glob("h5vidstack/_core/*.h")),
    extra_compile_args=FLAGS,
    extra_link_args=WITHOUT_SYMBOLS,
    py_limited_api=True,
    optional=True,
)
PLUGIN = Extension(
    "h5vidstack.plugin.libh5vidstack",
    sorted(glob("plugin/*.c"))
    + [file for file in CORE.sources if not file.endswith(("module.c", "filter.c"))],
    depends=[*CORE.depends, *glob("plugin/*.h")],
    extra_compile_args=FLAGS if sys.platform == "win32" else [*FLAGS, "-fvisibility=hidden"],
    extra_link_args=WITHOUT_SYMBOLS,
    libraries=[] if sys.platform == "win32" else ["m", "dl", "pthread"],
    optional=True,
)
LIBRARY_ENDING = {"win32": ".dll", "darwin": ".dylib"}.get(sys.platform, ".so")


class BuildExtensions(build_ext):
    """Build the plugin as a library that knows nothing of Python."""

    def get_ext_filename(self, fullname):
        """Return its name without the tag of a Python."""
        *package, name = fullname.split(".")
        if name == "libh5vidstack":
            return os.path.join(*package, name + LIBRARY_ENDING)
        return super().get_ext_filename(fullname)

    def get_export_symbols(self, ext):
        """Return which functions a library of Windows shows."""
        if ext is PLUGIN:
            return ["H5PLget_plugin_type", "H5PLget_plugin_info"]
        return super().get_export_symbols(ext)

    def get_libraries(self, ext):
        """Link the plugin without Python."""
        return ext.libraries if ext is PLUGIN else super().get_libraries(ext)


class Wheel(bdist_wheel):
    """A wheel for this system, but for every Python from 3.11 on."""

    def finalize_options(self):
        """Say so."""
        self.py_limited_api = "cp311"
        super().finalize_options()


setup(
    ext_modules=[CORE, PLUGIN],
    cmdclass={"bdist_wheel": Wheel, "build_ext": BuildExtensions},
)
