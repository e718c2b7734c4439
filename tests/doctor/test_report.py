"""medlearn.doctor.report: findings as text and as a table, and checks that fail."""

import pytest

from medlearn.doctor.report import Finding, Report, guarded

FINE = Finding("Python", "3.12")
NOTE = Finding("ITK", "not here", "note", "pip install itk-core")
PROBLEM = Finding("Memory", "0.2 GB free", "problem", "Close other programs.")


def test_report_prints_problems_first_then_notes_each_with_its_mend():
    assert str(Report((FINE, NOTE, PROBLEM))).splitlines() == [
        "1 problem. 1 note, 1 check is fine.",
        "✘ problem  Memory: 0.2 GB free",
        "           Mend: Close other programs.",
        "• note     ITK: not here",
        "           Mend: pip install itk-core",
        "✔ ok       Python: 3.12",
    ]


@pytest.mark.parametrize(
    "findings, summary",
    [
        ((), "No problem found. 0 notes, 0 checks are fine."),
        ((PROBLEM, PROBLEM, NOTE, NOTE, FINE, FINE), "2 problems. 2 notes, 2 checks are fine."),
    ],
)
def test_report_summary_counts(findings, summary):
    assert Report(findings).summary == summary


def test_report_is_ok_without_problems():
    assert Report((FINE, NOTE)).ok
    assert not Report((FINE, PROBLEM)).ok
    assert Report((FINE, PROBLEM)).problems == (PROBLEM,)


def test_report_html_escapes_and_says_the_state_in_words():
    html = Report((Finding("<b>", "a & b", "problem", "<script>mend</script>"), FINE))._repr_html_()
    assert "&lt;b&gt;</td>" in html and "a &amp; b</td>" in html
    assert "&lt;script&gt;mend" in html and "<script>" not in html
    assert "✘ problem</td>" in html and "✔ ok</td>" in html
    assert "color" not in html


def test_report_html_folds_what_is_fine():
    urgent, fine = Report((FINE, PROBLEM))._repr_html_().split("<details>")
    assert "Memory" in urgent and "Python" not in urgent
    assert "Python" in fine and "Memory" not in fine


def test_report_html_without_problems_has_one_table():
    assert Report((FINE,))._repr_html_().count("<table>") == 1


def test_finding_refuses_a_problem_without_a_mend():
    with pytest.raises(ValueError, match="the problem 'Disk' has no mend"):
        Finding("Disk", "full", "problem")


def test_finding_refuses_an_unknown_state():
    with pytest.raises(ValueError, match="state must be one of problem, note, ok, got 'bad'"):
        Finding("Disk", "full", "bad")


def test_guarded_keeps_what_was_found_before_the_failure():
    def check():
        yield FINE
        raise OSError("libexample.so:\n  no such file")

    fine, failure = guarded("Device", check)
    assert fine is FINE
    assert (failure.name, failure.state) == ("Device", "problem")
    assert failure.value == "could not be examined (OSError: libexample.so: no such file)"
    assert "remove .venv and call `make lab`" in failure.mend


@pytest.mark.parametrize("name, package", [("torch._C", "torch"), (None, "the package that it names")])
def test_guarded_names_the_package_that_cannot_be_imported(name, package):
    def check():
        raise ImportError("cannot import", name=name)

    (failure,) = guarded("Device", check)
    assert failure.mend.startswith(f"Install {package} again")
