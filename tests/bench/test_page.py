import base64
import dataclasses
import html
import io
import json
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
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
    exact = [row for row in found.rows if row.exact]
    lossy = [row for row in found.rows if row.problem is None and not row.exact]
    missing = [row for row in found.rows if row.problem is not None]
    rows = [cells for cells in page.rows[1:] if len(cells) > 1]
    assert [row[0] for row in rows] == [row.name for row in (*exact, *lossy, *missing)]
    assert [row[1] for row in rows] == [
        row.problem or table.cell(row, "file_bytes") for row in (*exact, *lossy, *missing)
    ]
    groups = [cells[0].partition(":")[0] for cells in page.rows[1:] if len(cells) == 1]
    assert groups == ["exact", "not exact", *["not measured"] * bool(missing)]
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
    kinds = {(row.ours, row.exact) for row in found.rows if row.problem is None}
    assert text.count('class="mark ') == 2 * able + len(kinds)
    assert text.count('class="front"') == 2
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text


def test_a_page_escapes_names():
    frames = stack()
    found = dataclasses.replace(bench_of(made_up("<b>", 10, 1)), source="<script>alert(1)</script>")
    write_page(found, Path("x.html"), {}, frames)
    text = Path("x.html").read_text()
    Page(text)
    assert text.count("<script") == 1  # the page's own
    assert "alert" not in text.replace("&lt;script&gt;alert(1)", "")
    assert "<b>" not in text


def in_a_browser(text, probe, width=1400):
    """What a probe at the end of a page gives: JavaScript with the value `found`."""
    script = f"""<script>addEventListener("load", () => {{
      {probe}
      document.title = JSON.stringify(found);
    }})</script></body>"""
    Path("x.html").write_text(text.replace("</body>", script))
    shown = subprocess.run(
        ["chromium", "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom",
         f"--window-size={width},900", Path("x.html").resolve().as_uri()],
        capture_output=True, text=True, timeout=120, check=True,
    ).stdout  # fmt: skip
    return json.loads(html.unescape(shown.partition("<title>")[2].partition("</title>")[0]))


needs_chromium = pytest.mark.skipif(
    shutil.which("chromium") is None, reason="needs Debian's chromium"
)


@needs_chromium
@pytest.mark.parametrize("width", [500, 1400])
def test_page_in_a_browser(whole, width):
    """The page is no wider than the window, its letters are large enough, pictures are shown."""
    probe = """
      const small = [...document.querySelectorAll("p,td,th,figcaption,h1,h2")]
        .filter(e => parseFloat(getComputedStyle(e).fontSize) < 12).length;
      const broken = [...document.images].filter(i => !i.complete || !i.naturalWidth).length;
      const found =
        [document.documentElement.scrollWidth <= innerWidth, small, broken, document.images.length];
    """
    found = in_a_browser(whole[1], probe, width)
    assert found == [True, 0, 0, len(Page(whole[1]).images)]


SORTED = """
  const shown = () => [...document.querySelectorAll("tbody")].map(body =>
    [...body.rows].filter(row => row.cells.length > 1).map(row => row.cells[0].textContent));
  const found = {};
  const heads = [...document.querySelectorAll("thead th")];
  for (const head of heads) {
    const button = head.querySelector("button");
    found[button.textContent] = [1, 2].map(() => {
      button.click();
      return [head.getAttribute("aria-sort"), shown(),
              heads.filter(other => other.hasAttribute("aria-sort")).length];
    });
  }
"""


@needs_chromium
@pytest.mark.long
def test_the_table_is_sorted_by_its_headings():
    exact = [
        made_up(f"e{i}", size, speed)
        for i, (size, speed) in enumerate([(300, 5), (100, 7), (200, 6)])
    ]
    lossy = [made_up(f"l{i}", size, 9, exact=False) for i, size in enumerate([20, 10])]
    missing = dataclasses.replace(exact[0], name="e9", peak_bytes=None)
    write_page(bench_of(*exact, missing, *lossy), Path("y.html"), {}, stack())
    found = in_a_browser(Path("y.html").read_text(), SORTED)
    assert list(found) == ["method", *table.HEADINGS.values()]
    (first, rising, _), (second, falling, _) = found["size KB"]
    assert (first, second) == ("ascending", "descending")
    assert rising[1] == ["l1", "l0"]  # each group is sorted by itself
    assert falling[1] == ["l0", "l1"]
    assert [rising[0][0], falling[0][-1]] == ["e1", "e1"]
    assert found["pack MB/s"][0][0] == "descending"  # the best comes first
    assert found["pack MB/s"][0][1][0][:2] == ["e1", "e2"]
    assert found["method"][0][1][0] == ["e0", "e1", "e2", "e9"]
    for clicks in found["memory MB"]:
        assert clicks[1][0][-1] == "e9"  # what has no figure comes last, either way
    assert all(count == 1 for clicks in found.values() for _, _, count in clicks)


@needs_chromium
@pytest.mark.long
@pytest.mark.parametrize("width", [500, 1400])
def test_no_name_in_a_plot_covers_another(width):
    rng = np.random.default_rng(1)
    rows = [
        made_up(f"method number {i}", int(2e7 * np.exp(rng.normal(0, 0.2))), float(np.exp(rng.normal(4, 1))))
        for i in range(30)
    ]  # fmt: skip
    write_page(bench_of(*rows), Path("y.html"), {}, stack())
    probe = """
      const found = [...document.querySelectorAll("figure svg")].map(svg => {
        const boxes = [...svg.querySelectorAll(".name")].map(one => one.getBBox());
        let over = 0;
        for (const [i, a] of boxes.entries()) for (const b of boxes.slice(0, i)) {
          const wide = Math.min(a.x + a.width, b.x + b.width) - Math.max(a.x, b.x);
          const high = Math.min(a.y + a.height, b.y + b.height) - Math.max(a.y, b.y);
          over += wide > 1 && high > 3;
        }
        return [boxes.length, over];
      });
    """
    assert in_a_browser(Path("y.html").read_text(), probe, width) == [[30, 0], [30, 0]]
