"""What the browser tests share: the machine's own Chromium, and JupyterLab as `make lab` starts it in a new clone."""

import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple
from urllib.error import URLError
from urllib.request import Request, urlopen

import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM = "chromium", "chromium-browser", "google-chrome"
SWITCHES = [  # no sandbox: Chromium refuses to start as root with one. The rest keeps it from asking other servers.
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT = 60_000  # milliseconds for what a test expects: on a busy machine, importing torch takes more than the usual five
START = 120  # seconds within which JupyterLab has to answer, on a busy machine too


def absent(reason):
    """Skip for a reason; the gate, which sets CI, fails for it."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)


@pytest.fixture(scope="session")
def browser():
    """Chromium without a window. A test opens its own context in it."""
    try:
        from playwright.sync_api import expect, sync_playwright
    except ModuleNotFoundError:
        absent("playwright, of the extra test, is not installed")
    program = next(filter(None, map(shutil.which, CHROMIUM)), None)
    if program is None:
        absent(f"no Chromium is installed; wanted one of {', '.join(CHROMIUM)} on the PATH")
    expect.set_options(timeout=WAIT)
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        yield started
        started.close()


class Lab(NamedTuple):
    """A JupyterLab that runs: its address, what it accepts as proof of who asks, and the clone that it works in."""

    url: str
    token: str
    clone: Path

    @property
    def headers(self):
        return {"Authorization": f"token {self.token}"}


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """JupyterLab in a new clone, for one who has never started it. No file of this repository is opened."""
    home, clone = tmp_path_factory.mktemp("home"), tmp_path_factory.mktemp("clone")
    for folder in "convlab", "notebooks":
        shutil.copytree(ROOT / folder, clone / folder, ignore=shutil.ignore_patterns("__pycache__", ".*"))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    started = Lab(f"http://127.0.0.1:{port}", "a-token-of-the-tests", clone)
    own = {name: str(home / name) for name in ("JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR", "JUPYTER_RUNTIME_DIR")}
    own |= {"IPYTHONDIR": str(home / "ipython"), "JUPYTER_TOKEN": started.token, "OMP_NUM_THREADS": "1"}
    options = ["--no-browser", "--allow-root", f"--port={port}", "--port-retries=0", "--expose-app-in-browser"]
    command = [sys.executable, "-m", "convlab", "lab", *options]
    with open(home / "log.txt", "w+") as log:
        process = subprocess.Popen(
            command, cwd=clone, env=os.environ | own, stdout=log, stderr=log, start_new_session=True
        )
        try:
            if not answers(process, started):
                log.seek(0)
                pytest.fail(f"JupyterLab did not start:\n{log.read()[-3000:]}")
            yield started
        finally:
            stop(process)


def answers(process, lab):
    """Say whether a server answers before it ends, or before its time is up."""
    end = time.monotonic() + START
    while process.poll() is None and time.monotonic() < end:
        try:
            with urlopen(Request(f"{lab.url}/api/status", headers=lab.headers), timeout=10):
                return True
        except (URLError, OSError):
            time.sleep(0.2)
    return False


def stop(process):
    """End a server with all that it started: asked first, so that it ends its kernels, then made to."""
    for how in signal.SIGTERM, signal.SIGKILL:
        try:
            os.killpg(process.pid, how)
            process.wait(30)
        except ProcessLookupError:
            return
        except subprocess.TimeoutExpired:
            continue
