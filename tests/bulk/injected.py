"""Work on files that goes wrong in every way, and folders of small files."""

import os
import signal
import time
from dataclasses import dataclass
from pathlib import Path

import h5py
from frames import moving

from h5vidstack.bulk.decisions import PlannedTask
from h5vidstack.bulk.discovery import state_of
from h5vidstack.bulk.one_file import without_result
from h5vidstack.bulk.outcomes import FileTask
from h5vidstack.pool import Step

FRAMES = moving((6, 64, 200))


def put(*names):
    """HDF5 files with a small stack each."""
    for name in names:
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        with h5py.File(name, "w") as file:
            file["data"] = FRAMES


def planned(name, target=None):
    path = os.path.abspath(name)
    target = os.path.abspath(target or f"{name}.out")
    return PlannedTask(FileTask(name=name, source=path, target=target, state=state_of(path)))


def names(folder="."):
    return sorted(
        str(path.relative_to(folder)) for path in Path(folder).rglob("*") if path.is_file()
    )


@dataclass(frozen=True)
class Wrong:
    """Does what the name of a file says."""

    def __call__(self, planned, progress):
        task = planned.task
        what = Path(task.name).stem.partition("-")[0]
        if what == "killed":
            half = Path(task.target)
            half.with_name(f".{half.name}.{_host()}-{os.getpid()}-00.tmp").write_text("half")
            os.kill(os.getpid(), signal.SIGKILL)
        if what == "exits":
            os._exit(7)
        if what == "bug":
            raise ZeroDivisionError
        if what == "memory":
            raise MemoryError
        if what == "prints":
            print("not for you", flush=True)
        if what == "hangs":
            Path(f"{task.target}.begun").touch()
            time.sleep(60)
        if what == "waits":
            Path(f"{task.target}.begun").touch()
            while True:
                progress(Step(0, None))
                time.sleep(0.01)
        return without_result(task, "done", f"by {os.getpid()}")


def _host():
    from h5vidstack.layout import output

    return output._HOST  # as in the names of our temporary files


def wait_for(path):
    end = time.monotonic() + 60
    while not os.path.exists(path):
        assert time.monotonic() < end
        time.sleep(0.01)
