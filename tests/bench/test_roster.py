import numpy as np
from benched import STACKS, bench, stack

from h5vidstack.bench.roster import all_contestants, choose


def test_a_peer_that_is_not_installed_has_a_row_that_says_so(monkeypatch):
    class Hidden:
        def find_spec(self, name, path=None, target=None):
            if name in ("hdf5plugin", "imagecodecs", "decord", "torchcodec"):
                raise ModuleNotFoundError(name)

    found_spec = __import__("importlib.util").util.find_spec
    hidden = {"hdf5plugin", "imagecodecs", "decord", "torch", "torchcodec", "h5ffmpeg"}
    monkeypatch.setattr(
        "importlib.util.find_spec", lambda name: None if name in hidden else found_spec(name)
    )
    np.save("x.npy", stack())
    text = bench(
        "x.npy", "--methods", "hdf5,lzf,zstd,JPEG-LS,x264 mp4 by torchcodec", "--rounds", "1"
    ).output
    rows = {line[:22].strip(): line[22:] for line in text.splitlines()}
    for name, package in {"zstd 19": "hdf5plugin", "JPEG-LS": "imagecodecs"}.items():
        (line,) = (line for line in text.splitlines() if line.startswith(name))
        assert f"not installed: pip install {package}" in line
    assert any("pip install torch torchcodec" in row for row in rows.values())
    assert "lzf + shuffle" in text


def test_names_of_methods():
    for names, words in (
        ("hdf5,zip", "did you mean 'gzip'"), ("SZ", "'SZ3'"), ("pca20", "'pca 20'"),
        ("qqqq", "there is auto, video"), ("", "names no method"), (" ,", "names no method"),
    ):  # fmt: skip
        said = bench("x.npy", "--methods", names, code=2).stderr
        assert words in said
        assert len(said) < 500
    every = all_contestants(STACKS["uint8"])
    assert [one.name for one in choose(every, ["jpeg xl", "AUTO Small", "sz3"], False)] == [
        "auto small", "SZ3 bounded", "JPEG XL 7",
    ]  # fmt: skip
