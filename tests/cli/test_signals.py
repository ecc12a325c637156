import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest
from click.testing import CliRunner
from commands import run
from frames import moving

import h5vidstack
from h5vidstack.cli import main
from h5vidstack.layout.writer import StackWriter


@pytest.mark.parametrize(
    ("number", "code", "words"), [(signal.SIGINT, 130, "\nAborted!\n"), (signal.SIGTERM, 143, "")]
)
@pytest.mark.parametrize("fails", [False, True])
def test_a_signal_leaves_nothing(monkeypatch, fails, number, code, words):
    np.save("a.npy", moving((40, 16, 16)))
    handlers = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)

    def interrupted(*args, **kwargs):
        os.kill(os.getpid(), number)
        if fails:
            raise OSError("cannot be written")
        return StackWriter(*args, **kwargs)

    with monkeypatch.context() as patch:
        patch.setattr("h5vidstack.writing.packer.StackWriter", interrupted)
        result = run("pack", "a.npy", "x.h5", code=code)
    assert result.stderr == words
    assert os.listdir() == ["a.npy"]
    assert handlers == (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM))
    run("pack", "a.npy", "x.h5")


@pytest.mark.parametrize(
    ("arguments", "signals"), [("pack a.npy y.h5", 2), ("verify x.h5 --against a.npy", 1)]
)
def test_what_ends_at_once(monkeypatch, arguments, signals):
    """A second signal ends a command that writes, and the first one a command that reads."""
    np.save("a.npy", moving((40, 16, 16)))
    run("pack", "a.npy", "x.h5")

    def interrupted(*args, **kwargs):
        for _ in range(signals):
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(60)

    child = os.fork()
    if not child:
        try:
            monkeypatch.setattr("h5vidstack.writing.packer.StackWriter", interrupted)
            monkeypatch.setattr("h5vidstack.care.verification.verify", interrupted)
            signal.alarm(20)
            main(arguments.split())
        finally:
            os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 130
    run("pack", "a.npy", "y.h5")  # which removes what the killed one left
    assert sorted(os.listdir()) == ["a.npy", "x.h5", "y.h5"]


def test_importing_handles_no_signals():
    code = """if True:
        import signal, sys
        def state(): return [*map(signal.getsignal, (signal.SIGINT, signal.SIGTERM)),
                             sys.unraisablehook, sys.excepthook]
        before = state()
        import h5vidstack
        assert state() == before"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_bug_is_not_called_damage(monkeypatch):
    h5vidstack.pack(moving((4, 16, 16)), "x.h5")

    def mistaken(*args):
        raise TypeError("a bug")

    for place in ("layout.stack_group.read_table", "reading.chunk_grid.block.decode_from"):
        with monkeypatch.context() as patch:
            patch.setattr(f"h5vidstack.{place}", mistaken)
            result = CliRunner().invoke(main, ["verify", "x.h5"])
        assert isinstance(result.exception, TypeError), place
