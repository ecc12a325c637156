"""`check`: the error of what a stack gives back, and pictures of it."""

import math

import h5py
import numpy as np
import pytest
from click.testing import CliRunner
from frames import moving

import h5vidstack
from h5vidstack.choosing.methods import METHODS
from h5vidstack.cli import main
from h5vidstack.cli.demonstration import generate_uint8


def run(*arguments):
    found = CliRunner().invoke(main, list(map(str, arguments)))
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exception
    return found


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("make", [np.asarray, iter], ids=["array", "iterable"])
def test_every_method(method, make):
    frames = generate_uint8((5, 3, 2), (21, 30))
    report = h5vidstack.pack(frames, "x.h5", method=method)
    found = h5vidstack.check("x.h5", make(frames))
    with h5vidstack.open("x.h5") as stack:
        apart = stack[:].astype(float) - frames
    assert found.method == report.method
    assert found.exact == (not apart.any())
    assert found.max_error == abs(apart).max() == found.stated_max_error
    assert found.mse == pytest.approx(np.square(apart).mean())
    if apart.any():
        psnr = 10 * math.log10(255**2 / np.square(apart).mean())
        assert found.psnr == pytest.approx(psnr)
        assert np.abs(apart[found.worst]).max() == np.abs(apart).max()
    assert found.keeps_its_word
    assert (found.singular_values is not None) == (method == "pca")


def test_spectrum_is_scikit_learn_s():
    from sklearn.decomposition import PCA

    frames = generate_uint8((5, 3, 2), (21, 30))
    h5vidstack.pack(frames, "x.h5", method="pca", components=7)
    model = PCA(7, svd_solver="full").fit(frames.reshape(len(frames), -1).astype(float))
    found = h5vidstack.check("x.h5")
    assert found.exact is None
    np.testing.assert_allclose(found.singular_values, model.singular_values_, rtol=1e-3)
    np.testing.assert_allclose(
        found.explained_variance_ratio, model.explained_variance_ratio_, rtol=1e-2
    )


def test_a_stack_that_lies_is_told():
    frames = moving((9, 20, 30))
    h5vidstack.pack(frames, "x.h5", method="pca", components=2)
    with h5py.File("x.h5", "r+") as file:
        file["stack"].attrs["max_error"] = 0.25
    np.save("x.npy", frames)
    assert not h5vidstack.check("x.h5", frames).keeps_its_word
    assert run("check", "x.h5", "--against", "x.npy").exit_code == 1
    assert run("check", "x.h5").exit_code == 0


def test_what_cannot_be_checked():
    h5vidstack.pack(moving((9, 20, 30)), "x.h5")
    np.save("short.npy", moving((5, 20, 30)))
    np.save("long.npy", moving((12, 20, 30)))
    np.save("wide.npy", moving((9, 20, 31)))
    for name, words in (("short", "5 frames"), ("long", "12 frames"), ("wide", "(20, 31)")):
        out = run("check", "x.h5", "--against", f"{name}.npy")
        assert out.exit_code == 1
        assert words in out.output
        assert out.output.count("\n") == 1
    out = run("check", "x.h5", "--plots", "p")
    assert out.exit_code == 1
    assert "--against" in out.output
    assert run("check", "no.h5").exit_code == 1
