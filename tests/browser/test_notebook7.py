"""Lesson 02 in Notebook 7, which the same server offers: the slider shows and works."""

import pytest
from playwright.sync_api import expect

pytestmark = pytest.mark.browser


def test_notebook_7_shows_a_slider_that_works(lab, open_notebook):
    part = lab.upper_part("02_convolution", "widgets.explore")
    notebook = open_notebook(part, lab.url(part, page="notebooks"))
    assert "/notebooks/" in notebook.page.url and notebook.page.locator("#jp-NotebookLogo, .jp-NotebookLogo").count()
    index = notebook.index("widgets.explore")
    notebook.cell(index).locator(".cm-content").click()
    notebook.choose("Run", "Run All Above Selected Cell")
    notebook.run(index)
    cell = notebook.cell(index)
    figure, handle = cell.locator("img").first, cell.locator(".widget-slider .noUi-handle").first
    expect(handle).to_be_visible()
    notebook.page.screenshot(path=lab.folder.parent / "screenshots" / "notebook_7.png")
    before = figure.get_attribute("src")
    handle.focus()
    handle.press("ArrowRight")
    expect(figure).not_to_have_attribute("src", before)
