"""The one test that stays where no browser is: a skip that says how to get one, or in CI a failure."""

import os

import pytest


@pytest.mark.browser
def test_browser_is_here(missing_browser):
    if missing_browser and os.environ.get("MEDLEARN_BROWSER") == "required":
        pytest.fail(f"MEDLEARN_BROWSER=required, and {missing_browser}")
    if missing_browser:
        pytest.skip(missing_browser)
