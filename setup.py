"""Builds the C core, and puts the HDF5 plugin into the wheel where H5VIDSTACK_PLUGIN is 1.

All else is in pyproject.toml. Without a C compiler the package installs, too: then numpy does
the core's work, more slowly.
"""

import os
import subprocess
import sys
from glob import glob

from setuptools import Extension, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py

WITH_PLUGIN = os.environ.get("H5VIDSTACK_PLUGIN") == "1"
FLAGS = ["/O2"] if sys.platform == "win32" else ["-O3", "-std=gnu11", "-ffp-contract=off"]
CORE = Extension(
    "h5vidstack._core",
    sorted(glob("h5vidstack/_core/*.c")),
    depends=sorted(glob("h5vidstack/_core/*.h")),
    extra_compile_args=FLAGS,
    py_limited_api=True,
    optional=True,
)


class BuildPython(build_py):
    """Copy the plugin, too, against pyproject.toml, which leaves it out though it may lie there."""

    def finalize_options(self):
        """Add the plugin to the package's data."""
        super().finalize_options()
        if WITH_PLUGIN:
            self.package_data = {**self.package_data, "h5vidstack.plugin": ["*.so"]}
            self.exclude_package_data = {}


class Wheel(bdist_wheel):
    """A wheel for this system, but for every Python from 3.11 on."""

    def finalize_options(self):
        """Say so."""
        self.py_limited_api = "cp311"
        super().finalize_options()


if WITH_PLUGIN:
    subprocess.run(["make", "-C", "plugin", "OUT=../h5vidstack/plugin"], check=True)  # noqa: S607
setup(ext_modules=[CORE], cmdclass={"bdist_wheel": Wheel, "build_py": BuildPython})
