"""Puts the native plugin into the wheel where H5VIDSTACK_PLUGIN is 1 (`make plugin-wheel`).

Without it the wheel is pure Python; all else is in pyproject.toml.
"""

import os
import subprocess

from setuptools import Distribution, setup
from setuptools.command.bdist_wheel import bdist_wheel
from setuptools.command.build_py import build_py


class PluginDistribution(Distribution):
    """Has a part for this system."""

    def has_ext_modules(self):
        """Build apart from what is pure."""
        return True


class PluginBuild(build_py):
    """Copies the plugin, too."""

    def finalize_options(self):
        """Against pyproject.toml, which leaves it out though it may lie there."""
        super().finalize_options()
        self.package_data = {**self.package_data, "h5vidstack.plugin": ["*.so"]}
        self.exclude_package_data = {}


class PluginWheel(bdist_wheel):
    """A wheel for this system, but for any Python."""

    def get_tag(self):
        """Python, its binary interface, system."""
        return "py3", "none", super().get_tag()[2]


if os.environ.get("H5VIDSTACK_PLUGIN") == "1":
    subprocess.run(["make", "-C", "plugin", "OUT=../h5vidstack/plugin"], check=True)  # noqa: S607
    setup(
        distclass=PluginDistribution,
        cmdclass={"bdist_wheel": PluginWheel, "build_py": PluginBuild},
    )
else:
    setup()
