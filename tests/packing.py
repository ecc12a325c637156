"""Pack frames and read them back, change the stack, and have it checked."""

from collections.abc import Callable
from typing import Any

import h5py
import numpy.typing as npt
from click.testing import CliRunner, Result

import h5vidstack
from h5vidstack import PackReport
from h5vidstack.cli import main


def packed(frames: object, **options: Any) -> tuple[PackReport, npt.NDArray[Any], dict[str, Any]]:
    """Pack and read back: the report, the frames, and the attributes of the stack."""
    report = h5vidstack.pack(frames, "x.h5", overwrite=True, **options)
    with h5vidstack.open("x.h5") as stack:
        assert stack.verify() == []
        return report, stack[:], dict(stack.attrs)


def run(*arguments: object, code: int = 0) -> Result:
    """Run a command that must end with this exit code."""
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == code, result.output
    return result


def change(work: Callable[[h5py.Group], object]) -> None:
    """Let a function change the stack in ``x.h5``."""
    with h5py.File("x.h5", "r+") as file:
        work(file["stack"])


def problems(against: object = None) -> list[str]:
    """What `verify` finds wrong with ``x.h5``."""
    return h5vidstack.verify("x.h5", against=against)
