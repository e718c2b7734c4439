"""The syllabus: what it refuses, each with its line."""

import pytest
from syllabus import COURSE, CourseError, load_syllabus

TEXT = (COURSE / "syllabus.yml").read_text(encoding="utf-8")


def load(tmp_path, text):
    path = tmp_path / "syllabus.yml"
    path.write_text(text, encoding="utf-8")
    return load_syllabus(path)


def test_load_syllabus_reads_the_course(tmp_path):
    lessons = load(tmp_path, TEXT).lessons
    assert [lesson.name for lesson in lessons][:3] == ["00_start_here", "01_medical_images", "02_convolution"]
    assert TEXT.splitlines()[lessons[1].line - 1].strip() == '- number: "01"'


def test_load_syllabus_takes_the_fields_of_an_entry_in_any_order(tmp_path):
    text = TEXT.replace('- number: "00"\n    slug: start_here', '- slug: start_here\n    number: "00"')
    lessons = load(tmp_path, text).lessons
    assert [lesson.line for lesson in lessons] == [lesson.line for lesson in load(tmp_path, TEXT).lessons]


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("slug: start_here", "slug: Start-Here", r"the slug 'Start-Here'. Use lower-case"),
        ("    slug: start_here\n", "", r"Lesson '00' lacks slug"),
        ("slug: start_here", "slug: start_here\n    colour: red", r"unknown field colour"),
        ('number: "00"', "number: 0", r"Lesson 0: not a lesson number. Write two digits in quotes"),
        ('number: "00"', 'number: "07"', r"Lesson 01 comes after 07"),
        ('needs: ["00"]', 'needs: ["02"]', r"Lesson 01 needs 02, which does not come before it"),
        ("needs: []", "needs: none", r"needs is 'none'. Write a list"),
        ("{seconds: 30, memory_mb: 1500}", "{seconds: 30}", r"budget is .* Write \{seconds"),
        ("minutes: 30", "minutes: thirty", r"minutes 'thirty'. The title is a text"),
        ("title: Start here", "title:", r"title None and minutes 30"),
        ("seconds: 30,", "seconds: fast,", r"budget is .* Write \{seconds"),
        (TEXT, "", r"`lessons` is not a list of entries"),
        ("lessons:", "lessons: [", r"syllabus.yml:\d+: This is not YAML"),
    ],
)
def test_load_syllabus_names_the_line(tmp_path, old, new, message):
    with pytest.raises(CourseError, match=message):
        load(tmp_path, TEXT.replace(old, new, 1))
