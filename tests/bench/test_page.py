import base64
import dataclasses
import io
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import pytest
from benched import bench_of, made_up, stack
from PIL import Image

from h5vidstack.bench import table
from h5vidstack.bench.advice import advise
from h5vidstack.bench.page import write_page


class Page(HTMLParser):
    """What a page holds; raises where its tags do not match."""

    VOID = ("meta", "img", "link", "br")

    def __init__(self, text):
        super().__init__()
        self.open, self.rows, self.images, self.texts, self.links = [], [], [], [], []
        self.feed(text)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.links += [attrs[name] for name in ("src", "href") if name in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag == "img":
            self.images.append(attrs)
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        pass

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)
        if "tr" in self.open and data.strip():
            self.rows[-1].append(data)


def test_page(whole):
    found, text, _seen = whole
    page = Page(text)
    assert [row[0] for row in page.rows[1:]] == [row.name for row in found.rows]
    assert [row[1] for row in page.rows[1:]] == [
        row.problem or table.cell(row, "file_bytes") for row in found.rows
    ]
    assert all(link.startswith("data:image/png;base64,") for link in page.links)
    assert "http" not in "".join(page.texts)
    assert "@import" not in text
    assert "url(" not in text
    said = " ".join(page.texts)
    for words in (advise(found), "48 x 120 x 180 uint8", "Principal components", "pca 20 loses",
                  "video mp4 loses", "Piles of similar frames", "bounded balanced loses"):  # fmt: skip
        assert words in said
    captions = [image["alt"] for image in page.images]
    assert "mean" in captions
    assert sum("pile 0" in caption for caption in captions) == 3
    assert sum(caption.startswith("worst: ") for caption in captions) == 9
    for image in page.images:
        data = base64.b64decode(image["src"].partition(",")[2])
        assert max(Image.open(io.BytesIO(data)).size) <= 240
    able = sum(row.problem is None for row in found.rows)
    assert text.count('<circle class="ours') + text.count('<circle class="peer') == 2 * able + 3
    assert text.count('class="front"') == 2
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_a_page_escapes_names():
    frames = stack()
    found = dataclasses.replace(bench_of(made_up("<b>", 10, 1)), source="<script>alert(1)</script>")
    write_page(found, Path("x.html"), {}, frames)
    text = Path("x.html").read_text()
    Page(text)
    assert "<script" not in text
    assert "<b>" not in text


@pytest.mark.skipif(shutil.which("chromium") is None, reason="needs Debian's chromium")
@pytest.mark.parametrize("width", [500, 1400])
def test_page_in_a_browser(whole, width):
    """The page is no wider than the window, its letters are large enough, pictures are shown."""
    probe = """<script>addEventListener("load", () => {
      const small = [...document.querySelectorAll("p,td,th,figcaption,h1,h2")]
        .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length;
      const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth).length;
      document.title = JSON.stringify(
        [document.documentElement.scrollWidth <= innerWidth, small, broken, document.images.length]);
    })</script></body>"""
    Path("x.html").write_text(whole[1].replace("</body>", probe))
    shown = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--window-size={width},900", Path("x.html").resolve().as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    title = shown.partition("<title>")[2].partition("</title>")[0]
    assert json.loads(title) == [True, 0, 0, len(Page(whole[1]).images)]
