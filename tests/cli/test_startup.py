import contextlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from commands import run
from frames import moving

from h5vidstack import startup


class WhereItIsLost:
    """Python prints what is raised when an object is dropped, and goes on."""

    def __init__(self, number):
        self.number = number

    def __del__(self):
        os.kill(os.getpid(), self.number)


@pytest.mark.parametrize(
    ("number", "code", "words"), [(signal.SIGINT, 130, "\nAborted!\n"), (signal.SIGTERM, 143, "")]
)
@pytest.mark.parametrize("how", ["raised", "lost", "replaced", "an error"])
def test_a_signal_leaves_nothing(monkeypatch, how, number, code, words):
    np.save("a.npy", moving((40, 16, 16)))
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.unraisablehook

    def interrupt(*args, **kwargs):
        if how == "raised":
            os.kill(os.getpid(), number)
        elif how == "lost":
            WhereItIsLost(number)
        elif how == "replaced":  # as threading.Condition.wait may do
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                os.kill(os.getpid(), number)
            raise RuntimeError("release unlocked lock")
        else:  # as HDF5 makes of what a filter raises
            with contextlib.suppress(KeyboardInterrupt, SystemExit):
                os.kill(os.getpid(), number)
            raise OSError("cannot be written")
        time.sleep(60)

    monkeypatch.setattr("h5vidstack.writing.packer.StackWriter", interrupt)
    result = run("pack", "a.npy", "x.h5", code=code)
    assert result.stderr == words
    assert os.listdir() == ["a.npy"]
    assert handlers == (
        signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM), sys.unraisablehook
    )  # fmt: skip


@pytest.mark.parametrize(
    "argv", [["-m", "h5vidstack"], [f"{Path(sys.executable).parent}/h5vidstack"]]
)
def test_ctrl_c_while_all_is_imported(argv):
    """At whatever moment it comes: no traceback, 130."""
    if not Path(argv[-1]).exists() and argv[0] != "-m":
        pytest.skip("not installed")
    Path("sitecustomize.py").write_text("""if True:
        import builtins, os, signal
        real = builtins.__import__
        def interrupted(name, *rest):
            if name.partition(".")[0] == "h5py":
                os.kill(os.getpid(), signal.SIGINT)
            return real(name, *rest)
        builtins.__import__ = interrupted""")
    found = subprocess.run(
        [sys.executable, *argv, "--version"], capture_output=True, text=True,
        env=os.environ | {"PYTHONPATH": os.getcwd()},
    )  # fmt: skip
    assert (found.returncode, found.stderr) == (130, "")


def test_only_the_command_handles_ctrl_c():
    assert startup.is_command(["/bin/h5vidstack", "info"], ["python", "/bin/h5vidstack", "info"])
    assert startup.is_command(["-m", "info"], ["python", "-P", "-m", "h5vidstack", "info"])
    assert not startup.is_command(["-m", "-q"], ["python", "-m", "pytest", "-q"])
    assert not startup.is_command(["x.py", "h5vidstack"], ["python", "x.py", "h5vidstack"])
    assert not startup.is_command([""], ["python"])
