"""The real lab, started by `make lab`, and headless Chromium that works in it.

The lab runs on a copy of the notebooks, with settings, progress and runtime files of its own: `make` is called in the
copy with ``VENV`` pointing at the environment that runs the tests, so nothing is installed, and whatever Chromium
saves stays in the copy. Every request that does not go to the loopback address is refused.
"""

import importlib.util
import os
import re
import shutil
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import nbformat
import psutil
import pytest

ROOT = Path(__file__).parents[2]
CHROMIUM_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


def chromium_path():
    """Return where Chromium is, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "/usr/bin/chromium")
    return next(filter(None, map(shutil.which, names)), None)


def browser_problem():
    """Say what is missing for the browser tests and how to get it; None where all is here."""
    if chromium_path() is None:
        return "the browser tests need Chromium. On Debian and Ubuntu: sudo apt install chromium"
    if importlib.util.find_spec("playwright") is None:
        return 'the browser tests need Playwright, without its own browsers: python -m pip install -e ".[test]"'
    if shutil.which("make") is None or not Path(sys.prefix, "bin", "jupyter").exists():
        return "the browser tests call `make lab`: install make, and run them by `make test`"
    return None


@pytest.fixture
def missing_browser():
    """What is missing for the browser tests, or None."""
    return browser_problem()


# Without a browser one test stays, test_browser_is_here.py: it skips with the reason, or fails where CI requires one.
NEED_A_BROWSER = ["test_lab.py", "test_notebook7.py", "test_widgets_of_lessons.py"]
collect_ignore_glob = [] if browser_problem() is None else NEED_A_BROWSER


@dataclass(frozen=True)
class Lab:
    """A running lab.

    Parameters
    ----------
    address : str
        Such as ``http://127.0.0.1:8888``.
    token : str
    opening_page : Path
        The page that `make lab` opens in a browser; it leads to the first lesson.
    folder, home : Path
        The copy of the course, and the learner's ``MEDLEARN_HOME``.
    """

    address: str
    token: str
    opening_page: Path
    folder: Path
    home: Path

    def url(self, name, *, page=None):
        """Return the address of a notebook: the one that `make lab` opens, with another name and page.

        Without a page, in a workspace of its own: else the lab opens the notebooks of the last visit too, behind it.
        """
        first = re.search(r"url=(http\S+?)\"", self.opening_page.read_text())[1]
        return first.replace("00_start_here", name).replace("lab/tree", page or f"lab/workspaces/{name}/tree")

    def upper_part(self, name, last):
        """Write a copy of a lesson down to the first code cell with this text, and return its name.

        What is below need not be drawn, nor wait for its formulas.
        """
        book = nbformat.read(self.folder / "notebooks" / f"{name}.ipynb", as_version=4)
        ends = (i for i, cell in enumerate(book.cells) if cell.cell_type == "code" and last in cell.source)
        book.cells = book.cells[: next(ends) + 1]
        nbformat.write(book, self.folder / "notebooks" / f"{name}_upper_part.ipynb")
        return f"{name}_upper_part"


@pytest.fixture(scope="session")
def lab(tmp_path_factory):
    """Start the lab by `make lab` on a copy of the course, and stop it and its kernels in the end."""
    top = tmp_path_factory.mktemp("lab")
    folder, log = top / "course_copy", top / "lab.log"
    shutil.copytree(ROOT / "notebooks", folder / "notebooks")
    shutil.copytree(ROOT / "course", folder / "course", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy2(ROOT / "Makefile", folder)
    # "-o FILE": take FILE as up to date, so that make installs nothing.
    command = ["make", "-C", folder, "-o", f"{sys.prefix}/.course-ready", "lab", f"VENV={sys.prefix}"]
    command += ["LAB_FLAGS=--no-browser --ServerApp.port=0"]
    with log.open("w") as stream:
        process = subprocess.Popen(
            command, env=_own_settings(top), stdout=stream, stderr=stream, stdin=subprocess.DEVNULL
        )
    try:
        address, token = _wait_for_address(log, process)
        yield Lab(address, token, _wait_for_opening_page(top / "runtime"), folder, top / "home")
    finally:
        _stop(process)


def _own_settings(top):
    folders = {
        "MEDLEARN_HOME": "home",
        "IPYTHONDIR": "ipython",
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
    }
    return os.environ | {name: str(top / folder) for name, folder in folders.items()} | {"MEDLEARN_OFFLINE": "1"}


def _wait_for_address(log, process, *, seconds=90):
    end = time.monotonic() + seconds
    while time.monotonic() < end and process.poll() is None:
        found = re.search(r"(http://127\.0\.0\.1:\d+)/lab\S*?\?token=(\w+)", log.read_text())
        if found:
            return found.groups()
        time.sleep(0.1)
    pytest.fail(f"`make lab` printed no address with a token within {seconds} s:\n{log.read_text()[-3000:]}")


def _wait_for_opening_page(runtime, *, seconds=90):
    """Return the page that leads to the first lesson: the server writes it a moment after it printed its address."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        for page in runtime.glob("*file-to-run*.html"):
            if "url=" in page.read_text():
                return page
        time.sleep(0.1)
    pytest.fail(f"the lab wrote no opening page to {runtime} within {seconds} s")


def _stop(process):
    """Ask make's descendants to end, the server first; end what is left."""
    family = psutil.Process(process.pid).children(recursive=True) if process.poll() is None else []
    for member in family:
        if member.is_running() and "jupyter-lab" in " ".join(member.cmdline()):
            member.terminate()
    _, left = psutil.wait_procs(family, timeout=60)
    for member in left:
        member.kill()
    process.wait(timeout=60)


@pytest.fixture(scope="module")
def chromium():
    """Start headless Chromium. Playwright's event loop ends with the module, so that other tests may run theirs."""
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=60_000)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium_path(), args=list(CHROMIUM_FLAGS))
        yield browser
        browser.close()


# The notebook that is seen, whatever else is open behind it.
PANEL = ".jp-NotebookPanel:not(.lm-mod-hidden)"


class NotebookPage:
    """A notebook in JupyterLab or Notebook 7, worked as a learner does: by mouse and keyboard.

    Parameters
    ----------
    page : playwright.sync_api.Page
    path : Path
        The notebook file, which tells the index of a cell by its tag or its text.
    """

    def __init__(self, page, path):
        self.page = page
        self.sources = nbformat.read(path, as_version=4).cells
        self.errors = []
        page.on("console", lambda m: self.errors.append(f"{m.text} {m.location}") if m.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(f"{error} {error.stack}"))
        page.route(re.compile(r"^https?://(?!127\.0\.0\.1[:/])"), lambda route: route.abort())
        page.set_default_timeout(90_000)

    def open(self, address):
        """Open an address and wait for the notebook and its kernel."""
        self.page.goto(address)
        self.cells.nth(len(self.sources) - 1).wait_for(state="attached")
        self.page.locator(f"{PANEL} .jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for(state="attached")

    @property
    def cells(self):
        """All cells, as a locator."""
        return self.page.locator(f"{PANEL} .jp-Cell")

    def index(self, text, *, tag=None):
        """Return the index of the first cell with this text, and this tag."""
        return next(
            index
            for index, cell in enumerate(self.sources)
            if text in cell.source and (tag is None or tag in cell.metadata.get("tags", []))
        )

    def cell(self, index):
        """Return the cell as a locator, scrolled into view."""
        cell = self.cells.nth(index)
        cell.evaluate("cell => cell.scrollIntoView({block: 'center'})")
        cell.wait_for()
        return cell

    def run_all(self, *, seconds=150):
        """Choose Run > Run All Cells, and wait until no cell waits or runs; after a failure no other cell does."""
        self.choose("Run", "Run All Cells")
        waiting = f"[...document.querySelectorAll('{PANEL} .jp-InputPrompt')].some(p => p.textContent.includes('*'))"
        self.page.wait_for_function(waiting)
        self.page.wait_for_function(f"!{waiting}", timeout=1000 * seconds)

    def tracebacks(self, *, only=None):
        """Return the text of every exception that is shown, but where a cell is tagged ``raises-exception``.

        ``only``: the index of the one cell to look at.
        """
        found = []
        for index, cell in enumerate(self.sources):
            looked_at = only is None or index == only
            if looked_at and cell.cell_type == "code" and "raises-exception" not in cell.metadata.get("tags", []):
                texts = self.cells.nth(index).locator("[data-mime-type='application/vnd.jupyter.stderr']")
                found += [text for text in texts.all_text_contents() if "Traceback (most recent call last)" in text]
        return found

    def choose(self, menu, entry):
        """Choose an entry of a menu."""
        self.page.get_by_role("menuitem", name=menu, exact=True).click()
        self.page.get_by_role("menuitem", name=entry, exact=True).click()

    def run(self, index):
        """Run one cell by Shift+Enter, and wait for it."""
        cell = self.cell(index)
        before = cell.locator(".jp-InputPrompt").inner_text()
        cell.locator(".cm-content").click()
        self.page.keyboard.press("Shift+Enter")
        done = "([cell, before]) => /\\d/.test(cell.innerText) && cell.innerText !== before"
        self.page.wait_for_function(done, arg=[cell.locator(".jp-InputPrompt").element_handle(), before])

    def write(self, index, code):
        """Replace the text of a code cell, and run it."""
        self.cell(index).locator(".cm-content").click()
        self.page.keyboard.press("ControlOrMeta+a")
        self.page.keyboard.insert_text(code)
        self.run(index)


@pytest.fixture(scope="module")
def open_notebook(chromium, lab):
    """Give a function that opens a notebook in a new page: ``open_notebook(name, address)``."""
    context = chromium.new_context(viewport={"width": 1400, "height": 1000})

    def open_in_new_page(name, address):
        notebook = NotebookPage(context.new_page(), lab.folder / "notebooks" / f"{name}.ipynb")
        notebook.open(address)
        return notebook

    yield open_in_new_page
    context.close()
