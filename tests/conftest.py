"""Settings for every test: the Keras backend is chosen, and the learner's own progress is left alone."""

import pytest

import medlearn  # noqa: F401 - before a test module imports Keras, which fixes its backend at once


@pytest.fixture(autouse=True)
def private_home(tmp_path, monkeypatch):
    """Point the learner's progress at a folder of the test's own."""
    monkeypatch.setenv("MEDLEARN_HOME", str(tmp_path / "home"))
