"""A headless Chromium that tests speak to."""

import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


class Browser:
    """A headless Chromium, spoken to through a pipe: messages of its debugging protocol, ended by zeros."""

    def __init__(self, folder: str) -> None:
        to_read, self.write_end = os.pipe()
        self.read_end, to_write = os.pipe()

        def connect() -> None:
            ends = os.dup(to_read), os.dup(to_write)
            os.dup2(ends[0], 3)
            os.dup2(ends[1], 4)

        self.process = subprocess.Popen(
            [
                CHROMIUM, "--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run",
                "--disable-dev-shm-usage", "--disable-background-networking", "--mute-audio",
                "--hide-scrollbars", f"--user-data-dir={folder}", "--remote-debugging-pipe", "about:blank",
            ],
            preexec_fn=connect, close_fds=False, start_new_session=True,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        os.close(to_read)
        os.close(to_write)
        self.rest = b""
        self.number = 0
        self.session: str | None = None
        target = self.ask("Target.createTarget", url="about:blank")["targetId"]
        self.session = self.ask("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self.ask("Page.enable")

    def ask(self, method: str, **parameters: Any) -> Any:
        """Call a method of the protocol, and wait for its result."""
        self.number += 1
        message: dict[str, Any] = {"id": self.number, "method": method, "params": parameters}
        if self.session:
            message["sessionId"] = self.session
        os.write(self.write_end, json.dumps(message).encode() + b"\0")
        while True:
            answer = self.read()
            if answer.get("id") == self.number:
                assert "error" not in answer, answer
                return answer["result"]

    def read(self) -> Any:
        """Return the next message."""
        parts = [self.rest]
        while b"\0" not in parts[-1]:
            part = os.read(self.read_end, 1 << 20)
            assert part, "Chromium has ended"
            parts.append(part)
        message, self.rest = b"".join(parts).split(b"\0", 1)
        return json.loads(message)

    def run(self, expression: str) -> Any:
        """Run JavaScript in the page; return its value, or the message of its error as a `Failed`."""
        answer = self.ask(
            "Runtime.evaluate", expression=expression, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise Failed(answer["exceptionDetails"]["exception"].get("description", str(answer)))
        return answer["result"].get("value")

    def go(self, url: str) -> None:
        """Open a page, and wait until the file that its address names is open or refused."""
        self.ask("Page.navigate", url=url)
        self.until(
            "document.readyState === 'complete' && location.href !== 'about:blank' && !!window.viewer"
        )
        self.run("viewer.opened")

    def until(self, expression: str) -> None:
        """Wait until JavaScript is true."""
        for _ in range(300):
            try:
                if self.run(expression):
                    return
            except Failed:
                pass  # the page is being replaced
            time.sleep(0.05)
        raise AssertionError(f"not true within 15 s: {expression}")

    def text(self, selector: str) -> str:
        """Return the text of an element that is shown, else nothing."""
        return str(
            self.run(
                f"(e => e.checkVisibility() ? e.innerText : '')(document.querySelector({selector!r}))"
            )
        )

    def close(self) -> None:
        """End the browser and what it started."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self.read_end)
        os.close(self.write_end)


class Failed(Exception):
    """What JavaScript threw."""


@contextmanager
def running() -> Iterator[Browser]:
    """Run a browser with a profile of its own."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        browser = Browser(folder)
        try:
            yield browser
        finally:
            browser.close()
