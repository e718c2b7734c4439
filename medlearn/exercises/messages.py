"""What an exercise says: plain text in a terminal, the same words in HTML in a notebook."""

import html
import re
import sys
from dataclasses import dataclass

RIGHT, WRONG, NOT_TRIED = "right", "wrong", "not tried"

MARKS = {RIGHT: "✔", WRONG: "✘", NOT_TRIED: "○", "hint": "→", "solution": "■"}
# Okabe and Ito's colour-blind-safe palette; the mark and the words say the same without the colour.
BORDERS = {RIGHT: "#009E73", WRONG: "#D55E00", NOT_TRIED: "#999999", "hint": "#0072B2", "solution": "#0072B2"}


@dataclass(frozen=True)
class Message:
    """A title, a text of one or more lines, and code where there is some.

    Examples
    --------
    >>> print(Message(RIGHT, "Right: convolve", ""))
    ✔ Right: convolve
    """

    state: str
    title: str
    text: str
    code: str = ""

    def __str__(self):
        return "\n".join(filter(None, [f"{MARKS[self.state]} {self.title}", self.text, self.code]))

    __repr__ = __str__

    def _repr_html_(self):
        words = re.sub(r"`([^`\n]+)`", r"<code>\1</code>", html.escape(self.text))
        text = f"<div style='white-space:pre-wrap'>{words}</div>" if self.text else ""
        code = f"<pre>{html.escape(self.code)}</pre>" if self.code else ""
        return (
            f"<div role='status' class='medlearn-{self.state.replace(' ', '-')}'"
            f" style='border-left:4px solid {BORDERS[self.state]};padding:0.3em 0.8em'>"
            f"<strong>{MARKS[self.state]} {html.escape(self.title)}</strong>{text}{code}</div>"
        )


def show(message):
    """Display a message in a notebook; print it elsewhere."""
    ipython = sys.modules.get("IPython")
    if ipython is not None and ipython.get_ipython() is not None:
        ipython.display.display(message)
    else:
        encoding = getattr(sys.stdout, "encoding", None) or "utf-8"  # cp1252 has no ✔: better a ? than no message
        print(str(message).encode(encoding, "replace").decode(encoding))
