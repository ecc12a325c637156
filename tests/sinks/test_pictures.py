import json

import numpy as np
from click.testing import CliRunner
from PIL import Image

import h5vidstack
from h5vidstack.care import fidelity
from h5vidstack.cli import main
from h5vidstack.cli.demonstration import generate_uint8


def run(*arguments):
    found = CliRunner().invoke(main, list(map(str, arguments)))
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


def test_command_and_pictures():
    frames = generate_uint8((5, 3, 2), (21, 30))
    np.save("x.npy", frames)
    h5vidstack.pack(frames, "x.h5", method="pca", components=4)
    out = run("check", "x.h5", "--against", "x.npy", "--plots", "pictures")
    assert out.exit_code == 0
    assert "LOSSY, max error" in out.output
    assert "explained variance" in out.output
    sizes = {}
    for name in ("components", "worst", "typical"):
        with Image.open(f"pictures/{name}.png") as picture:
            sizes[name] = picture.size
            assert len(set(picture.convert("L").tobytes())) > 20
    assert sizes["worst"] == sizes["typical"]
    again = run("check", "x.h5", "--plots", "pictures")
    assert again.exit_code == 1
    assert "exists" in again.output
    assert run("check", "x.h5", "--plots", "pictures", "--overwrite").exit_code == 0
    facts = json.loads(run("check", "x.h5", "--against", "x.npy", "--json").output)
    assert facts["keeps_its_word"] is True
    assert len(facts["singular_values"]) == 4


def test_difference_pictures_show_where():
    frames = np.full((3, 40, 50), 90, np.uint8)
    frames[1, 5:15, 5:15] = 200
    np.save("x.npy", frames)
    h5vidstack.pack(frames[[0, 0, 2]], "x.h5")
    found = h5vidstack.check("x.h5", "x.npy")
    assert found.worst == 1
    assert not found.exact
    given, got, apart = fidelity.triple("x.h5", "x.npy", 1)
    assert (given == frames[1]).all()
    assert (got == 90).all()
    np.testing.assert_array_equal(apart, 90.0 - frames[1])
