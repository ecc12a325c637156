"""The notebooks of the guide run as they stand, and are kept without what they print and draw."""

import os
import sys
from pathlib import Path

import pytest
from places import ROOT

nbformat = pytest.importorskip("nbformat")
nbclient = pytest.importorskip("nbclient")
pytest.importorskip("ipykernel")
pytest.importorskip("matplotlib")

NOTEBOOKS = sorted((ROOT / "docs" / "notebooks").glob("*.ipynb"))


def outputs(notebook):
    return [output for cell in notebook.cells for output in cell.get("outputs", ())]


@pytest.fixture(params=NOTEBOOKS, ids=lambda path: path.stem)
def notebook(request):
    found = nbformat.read(request.param, as_version=4)
    nbformat.validate(found)
    return found


def test_there_is_one_for_each_job():
    assert {path.stem for path in NOTEBOOKS} == {
        "beamline", "behaviour", "microscopist", "simulator",
    }  # fmt: skip


def test_it_is_kept_without_outputs(notebook):
    assert outputs(notebook) == []
    assert {cell.get("execution_count") for cell in notebook.cells} == {None}


@pytest.mark.filterwarnings("ignore")  # of Jupyter; those of the notebook are in its outputs
def test_it_runs(notebook, tmp_path, monkeypatch):
    programs = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    monkeypatch.setenv("PATH", programs)  # for the lines with `!`
    monkeypatch.setenv("NO_COLOR", "1")
    where = {"metadata": {"path": tmp_path}}
    nbclient.NotebookClient(notebook, timeout=300, kernel_name="python3", resources=where).execute()
    shown = outputs(notebook)
    said = {"stdout": "", "stderr": ""}
    for output in shown:
        if output["output_type"] == "stream":
            said[output["name"]] += output["text"]
    assert said["stderr"] == ""
    assert FOUND[notebook.cells[0]["source"].splitlines()[0]] in said["stdout"]
    assert sum("image/png" in output.get("data", {}) for output in shown) >= 2
    assert list(tmp_path.iterdir()) == []  # it works in a folder of its own


FOUND = {
    "# A time lapse from the microscope": "kept:    field_2.ome.tif - its pixels differ",
    "# A camera on an animal": "stimuli at frames [90, 210, 330, 480]",
    "# Files of a beamline": "the others are exact: True",
    "# A parameter sweep": "largest error 1.0e-03",
}
"""What each of them must have found, by its title."""
