"""What the doctor says: findings, and a report that prints as text and shows as a table in a notebook."""

from dataclasses import dataclass
from html import escape

STATES = {"problem": "✘ problem", "note": "• note", "ok": "✔ ok"}  # the order of the report


@dataclass(frozen=True)
class Finding:
    """One thing that was examined.

    Parameters
    ----------
    name, value : str
        What was examined, and what was found.
    state : {"ok", "note", "problem"}
        A note is nothing to worry about: the course goes on without it.
    mend : str
        What to do. Every problem has one.

    Raises
    ------
    ValueError
        If ``state`` is unknown, or a problem has no mend.

    Examples
    --------
    >>> print(Finding("Memory", "0.4 GB free", "problem", "Close other notebooks."))
    ✘ problem  Memory: 0.4 GB free
               Mend: Close other notebooks.
    """

    name: str
    value: str
    state: str = "ok"
    mend: str = ""

    def __post_init__(self):
        if self.state not in STATES:
            raise ValueError(f"state must be one of {', '.join(STATES)}, got {self.state!r}.")
        if self.state == "problem" and not self.mend:
            raise ValueError(f"the problem {self.name!r} has no mend. Say what the learner can do about it.")

    def __str__(self):
        line = f"{STATES[self.state]:9}  {self.name}: {self.value}"
        return f"{line}\n{'':9}  Mend: {self.mend}" if self.mend else line

    def _repr_html_(self):
        cells = [STATES[self.state], self.name, self.value, self.mend]
        return "<tr>" + "".join(f'<td style="text-align:left">{escape(cell)}</td>' for cell in cells) + "</tr>"


@dataclass(frozen=True)
class Report:
    """All findings; problems stand first.

    Examples
    --------
    >>> print(Report((Finding("Python", "3.12"), Finding("itk", "not here", "note", "pip install itk-core"))))
    No problem found. 1 note, 1 check is fine.
    • note     itk: not here
               Mend: pip install itk-core
    ✔ ok       Python: 3.12
    """

    findings: tuple[Finding, ...]

    @property
    def problems(self):
        """The findings that are problems."""
        return self._with_state("problem")

    @property
    def ok(self):
        """Whether nothing is a problem."""
        return not self.problems

    def _with_state(self, state):
        return tuple(finding for finding in self.findings if finding.state == state)

    @property
    def summary(self):
        """One line: the number of problems, notes and checks that are fine."""
        problems, notes, fine = (len(self._with_state(state)) for state in STATES)
        first = {0: "No problem found.", 1: "1 problem."}.get(problems, f"{problems} problems.")
        return f"{first} {notes} note{'' if notes == 1 else 's'}, {fine} check{' is' if fine == 1 else 's are'} fine."

    def __str__(self):
        return "\n".join([self.summary, *(str(finding) for state in STATES for finding in self._with_state(state))])

    def _repr_html_(self):
        urgent = self._with_state("problem") + self._with_state("note")
        return (
            f"<p><strong>{escape(self.summary)}</strong></p>{_table(urgent)}"
            f"<details><summary>What is fine</summary>{_table(self._with_state('ok'))}</details>"
        )


def _table(findings):
    if not findings:
        return ""
    titles = "".join(
        f'<th scope="col" style="text-align:left">{title}</th>' for title in ("State", "What", "Found", "Mend")
    )
    return f"<table><tr>{titles}</tr>{''.join(finding._repr_html_() for finding in findings)}</table>"


def guarded(name, check):
    """Run a check and return its findings; if it raises, return what it found so far and the failure as a problem.

    Parameters
    ----------
    name : str
        Named in the problem.
    check : callable
        Without arguments; yields findings.

    Returns
    -------
    list of Finding

    Examples
    --------
    >>> def check():
    ...     yield 1 / 0
    >>> print(guarded("Disk", check)[0].value)
    could not be examined (ZeroDivisionError: division by zero)
    """
    findings = []
    try:
        for finding in check():
            findings.append(finding)
    except Exception as error:  # a doctor that breaks on what is broken helps nobody
        text = " ".join(str(error).split())
        value = f"could not be examined ({type(error).__name__}: {text})"
        findings.append(Finding(name, value, "problem", _mend_of(error)))
    return findings


def _mend_of(error):
    if isinstance(error, ImportError):
        package = (error.name or "the package that it names").partition(".")[0]
        return f"Install {package} again; `make lab` in the folder of the course does it after you remove .venv."
    return "Install the course again: remove .venv and call `make lab`. If it stays, report it with this text."
