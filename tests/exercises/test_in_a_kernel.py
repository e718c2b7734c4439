"""The engine in a real Jupyter kernel: HTML and text, the learner's own line, and a loop that the stop button ends."""

import queue
import re

import pytest
from jupyter_client.manager import start_new_kernel

BROKEN = """
from medlearn.exercises import lesson_00 as ex

def normalise(image):
    smallest = image.min()
    return image[smallest]

ex.normalise.check(normalise)
"""
ENDLESS = """
def normalise(image):
    while True:
        image = image + 1

ex.normalise.check(normalise)
"""


@pytest.fixture(scope="module")
def kernel():
    manager, client = start_new_kernel(kernel_name="python3")
    yield manager, client
    client.stop_channels()
    manager.shutdown_kernel(now=True)


def run(kernel, code, *, interrupt=False):
    """Execute a cell; return its displayed data and the status of its reply."""
    manager, client = kernel
    message_id = client.execute(code)
    shown = []
    while True:
        try:
            message = client.get_iopub_msg(timeout=2 if interrupt else 60)
        except queue.Empty:
            manager.interrupt_kernel()
            interrupt = False
            continue
        if message["parent_header"].get("msg_id") != message_id:
            continue
        if message["msg_type"] == "display_data":
            shown.append(message["content"]["data"])
        if message["msg_type"] == "status" and message["content"]["execution_state"] == "idle":
            return shown, client.get_shell_msg(timeout=60)["content"]["status"]


def test_check_shows_html_text_and_the_learners_line(kernel):
    [shown], status = run(kernel, BROKEN)
    assert status == "ok"
    for text in (shown["text/plain"], shown["text/html"]):
        assert "in line 5 of your code:\n    return image[smallest]" in text


def test_check_of_an_endless_loop_ends_with_the_stop_button(kernel):
    run(kernel, "from medlearn.exercises import lesson_00 as ex")
    [shown], status = run(kernel, ENDLESS, interrupt=True)
    assert status == "ok"
    assert re.search(r"You stopped it after \d+ s, in line [23] of your code", shown["text/plain"])
    assert run(kernel, "print(1)")[1] == "ok"
