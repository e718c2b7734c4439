"""A lesson's quiz: JupyterQuiz, made to work by keyboard, in the dark theme and without colour."""

import base64
import json

from IPython.display import HTML, Javascript, display
from jupyterquiz import display_quiz

# A mark beside the colour; bold, so that the colours are readable on white and on black; a visible focus.
STYLE = """<style>
.Quiz .Feedback { font-weight: bold; }
.Quiz .Feedback.correct::before { content: "✔ "; }
.Quiz .Feedback.incorrect::before { content: "✘ "; }
.Quiz .MCButton:focus-within { outline: 3px solid #0072B2; }
</style>"""

# JupyterLab and Notebook listen for the arrow keys on the document; the window hears them first. The browser's own
# answer to the key, the next radio button, stays. And a screen reader must be told where to look for what changes.
SCRIPT = """
if (!window.medlearnQuizKeys) {
    window.medlearnQuizKeys = true;
    window.addEventListener('keydown', event => {
        if (event.key.startsWith('Arrow') && event.target.closest && event.target.closest('.Quiz')) {
            event.stopPropagation();
        }
    }, true);
}
setTimeout(() => document.querySelectorAll('.Quiz .Feedback').forEach(
    feedback => feedback.setAttribute('aria-live', 'polite')), 3000);
"""


def show_quiz(packed):
    """Show the questions that a lesson's builder packed.

    Parameters
    ----------
    packed : str
        The questions in JupyterQuiz's format, as JSON in base64, so that a glance at the cell tells no answer.

    Raises
    ------
    ValueError
        If it is not base64, or not JSON.
    """
    display(HTML(STYLE))
    display_quiz(
        json.loads(base64.b64decode(packed)),
        colors={"--jq-correct-color": "#009E73", "--jq-incorrect-color": "#D55E00"},
    )
    display(Javascript(SCRIPT))
