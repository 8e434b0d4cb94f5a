"""A real Chromium without a window, driven over its debugging pipe: no library, no port."""

from __future__ import annotations

import base64
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any

import pytest

Json = dict[str, Any]
_NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
_RUN = """
import fcntl, os, sys
ends = [fcntl.fcntl(int(end), fcntl.F_DUPFD, 10) for end in sys.argv[1:3]]
for end, wanted in zip(ends, (3, 4)):
    os.dup2(end, wanted)
os.execv(sys.argv[3], sys.argv[3:])
"""
"""The pipe's ends must be the descriptors 3 and 4 (--remote-debugging-pipe)."""


def find_chromium() -> str:
    """The browser, from Debian's package where it is missing and may be installed; else the test fails and says why."""
    found = next(filter(None, map(shutil.which, _NAMES)), None)
    if found is None and shutil.which("apt-get") and os.getuid() == 0:
        subprocess.run(["apt-get", "install", "-y", "--no-install-recommends", "chromium"], check=False)
        found = shutil.which("chromium")
    if found is None:
        pytest.fail("this test needs a Chromium: apt-get install chromium")
    return found


class Page:
    """One tab. `problems` are the console's errors, uncaught exceptions and what the page's policy has blocked."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.problems: list[str] = []

    def call(self, method: str, **parameters: object) -> Json:
        """A command of the DevTools protocol to this tab."""
        return self._browser.call(method, self._session, **parameters)

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)

    def resize(self, width: int, height: int) -> None:
        self.call("Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=1, mobile=True)

    def prefer(self, **features: str) -> None:
        """Media features, as in `prefer(prefers_color_scheme="dark")`."""
        named = [{"name": name.replace("_", "-"), "value": value} for name, value in features.items()]
        self.call("Emulation.setEmulatedMedia", features=named)

    def value(self, expression: str) -> Any:  # noqa: ANN401 - whatever the script says
        """What an expression is in the page; a promise's result."""
        answer = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def until(self, expression: str, timeout_s: float = 30) -> None:
        """Wait in the page until an expression is true."""
        poll = (
            f"new Promise((done) => {{ const end = Date.now() + {timeout_s * 1000}; const look = () => "
            f"({expression}) ? done(true) : Date.now() > end ? done(false) : setTimeout(look, 20); look(); }})"
        )
        assert self.value(poll), f"not within {timeout_s} s: {expression}\n{self.value('document.body.innerText')}"

    def screenshot(self, path: Path) -> None:
        shot = self.call("Page.captureScreenshot", captureBeyondViewport=True)
        path.write_bytes(base64.b64decode(shot["data"]))

    def hear(self, event: Json) -> None:
        """Note what the browser complains about."""
        match event:
            case {"method": "Runtime.exceptionThrown", "params": {"exceptionDetails": details}}:
                self.problems.append(str(details.get("exception", details)))
            case {"method": "Log.entryAdded", "params": {"entry": {"level": "error", "text": text}}}:
                self.problems.append(text)
            case {"method": "Runtime.consoleAPICalled", "params": {"type": "error", "args": words}}:
                self.problems.append(str(words))


class Browser:
    """The process and its pipe."""

    def __init__(self, to_browser: int, from_browser: int) -> None:
        self._to = to_browser
        self._from = from_browser
        self._rest = b""
        self._numbers = count(1)
        self._pages: dict[str, Page] = {}

    def new_page(self) -> Page:
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log", "Accessibility"):
            page.call(f"{domain}.enable")
        return page

    def call(self, method: str, session: str = "", **parameters: object) -> Json:
        """A command and its result; what the browser tells meanwhile goes to its page."""
        number = next(self._numbers)
        message: Json = {"id": number, "method": method, "params": parameters}
        if session:
            message["sessionId"] = session
        os.write(self._to, json.dumps(message).encode() + b"\0")
        while True:
            heard = self._next()
            if heard.get("id") == number:
                assert "error" not in heard, (method, heard["error"])
                result: Json = heard["result"]
                return result
            page = self._pages.get(heard.get("sessionId", ""))
            if page is not None:
                page.hear(heard)

    def _next(self) -> Json:
        while b"\0" not in self._rest:
            piece = os.read(self._from, 2**16)
            assert piece, "the browser has ended"
            self._rest += piece
        message, _, self._rest = self._rest.partition(b"\0")
        heard: Json = json.loads(message)
        return heard


@contextmanager
def chromium(profile: Path) -> Iterator[Browser]:
    """A browser with a profile of its own, ended with the block."""
    program = find_chromium()
    child_in, to_browser = os.pipe()
    from_browser, child_out = os.pipe()
    argv = [sys.executable, "-c", _RUN, str(child_in), str(child_out), program]
    argv += ["--headless=new", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    argv += ["--disable-dev-shm-usage", "--remote-debugging-pipe", f"--user-data-dir={profile}"]
    environment = {"PATH": os.environ["PATH"], "HOME": str(profile)}
    with subprocess.Popen(
        argv, pass_fds=(child_in, child_out), env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        os.close(child_in)
        os.close(child_out)
        browser = Browser(to_browser, from_browser)
        try:
            yield browser
        finally:
            os.close(to_browser)
            os.close(from_browser)
            process.terminate()
            process.wait(30)
