"""Feedback shows answers, points and messages, and neither hidden tests nor anything that runs."""

import html
import re
import shutil

import pytest
from mini import GOOD, TENSOR_MODULE, answered, hand_in

from tito.course import Course
from tito.grading.feedback import write_feedback
from tito.grading.grade import grade_module
from tito.grading.gradebook import open_gradebook

ATTACK = {
    "scale": """#| export
import inspect, sys
def scale(x, factor):
    frame = sys._getframe(1)
    source = inspect.getsource(frame)
    print(source)
    print(repr(source))
    print("<script>alert(1)</script>")
    return np.zeros(1)
""",
    "shift": """#| export
from IPython.display import HTML, Javascript, Markdown, SVG, display
for shown in (
    HTML("<b>bold</b><script>alert(2)</script><img src=x onerror=alert(3)>"),
    Javascript("alert(4)"),
    Markdown("[click](javascript:alert(5)) <iframe src='https://example.org'></iframe>"),
    SVG("<svg xmlns='http://www.w3.org/2000/svg'><script>alert(6)</script></svg>"),
):
    display(shown)
def shift(x, by):
    return np.full_like(x, 2.0)
""",
    "q-float32": "<script>alert(7)</script> [x](javascript:alert(8)) <p onclick='alert(9)'>text</p>\n"
    "<style>*{display:none}</style>\n\n[y](data:text/html,<script>alert(11)</script>)",
}
COMMENT = "well done, x<b>y</b> <img src=x onerror=alert(10)> <script>alert(10)</script>"
HIDDEN = ["hidden_rows", "np.zeros((2, 2)), 7.0", "reshape(2, 3)"]


@pytest.fixture(scope="module")
def graded(released_once, tmp_path_factory):
    root = tmp_path_factory.mktemp("feedback") / "course"
    shutil.copytree(released_once.root, root)
    course = Course(root)
    hand_in(course, "ann", answered(course, GOOD))
    hand_in(course, "eve", answered(course, ATTACK))
    hand_in(course, "dan", "<script>alert(0)</script>")
    list(grade_module(course, TENSOR_MODULE, jobs=2))
    with open_gradebook(course) as book:
        book.find_comment("scale", "tensor", "01_tensor", "ann").manual_comment = COMMENT
        book.db.commit()
    assert len(list(write_feedback(course, TENSOR_MODULE))) == 3
    return course


def page(course, student):
    return (course.feedback / student / "01_tensor" / "tensor.html").read_text()


def words(text):
    """What a reader sees."""
    return html.unescape(re.sub(r"<[^>]+>", "", re.sub(r"<style.*?</style>", "", text, flags=re.DOTALL)))


def test_points_and_answers_are_there(graded):
    seen = words(page(graded, "ann"))
    assert "tensor (Score: 10.0 / 10.0)" in seen
    assert "return (np.asarray(x) * factor).astype(np.float32)" in seen
    assert "well done" in seen
    assert "Status: graded." in seen


def test_a_comment_is_shown_as_it_was_typed(graded):
    """Escaped, not sanitised: what a grader quotes of HTML must not disappear."""
    assert html.escape(COMMENT, quote=False) in page(graded, "ann")


def test_a_reason_is_shown_as_it_is(course):
    """`tito collect` passes on the name of a file, which is the student's."""
    hand_in(course, "eve", '{"refused": "the file \'<b>x</b>.zip\' is too large"}')
    list(grade_module(course, TENSOR_MODULE))
    (path,) = write_feedback(course, TENSOR_MODULE)
    assert "&lt;b&gt;x&lt;/b&gt;.zip" in path.read_text()


def test_what_markdown_may_hold(course):
    answer = "**bold** [web](https://example.org/a) ![dot](data:image/png;base64,iVBO) <sub>below</sub> $a<b$"
    hand_in(course, "ann", answered(course, GOOD | {"q-float32": answer}))
    hand_in(course, "eve", answered(course, GOOD | {"q-float32": f"{answer} [data](data:text/html,x)"}))
    list(grade_module(course, TENSOR_MODULE))
    assert len(list(write_feedback(course, TENSOR_MODULE))) == 2
    (shown,) = re.findall(r"<p><strong>bold</strong>.*?</p>", page(course, "ann"), re.DOTALL)
    assert re.findall(r'(?:href|src)="([^"]*)"', shown) == ["https://example.org/a", "data:image/png;base64,iVBO"]
    assert shown.endswith("<sub>below</sub> $a&lt;b$</p>")
    assert f"{answer} [data](data:text/html,x)" in words(page(course, "eve"))


def test_a_missing_attachment_stops_nobody(course):
    hand_in(course, "eve", answered(course, GOOD | {"q-float32": "![x](attachment:gone.png)"}))
    list(grade_module(course, TENSOR_MODULE))
    assert len(list(write_feedback(course, TENSOR_MODULE))) == 1
    assert "![x](attachment:gone.png)" in words(page(course, "eve"))


def test_hidden_tests_are_not(graded):
    for student in ("ann", "eve"):
        seen = words(page(graded, student))
        assert not [hidden for hidden in HIDDEN if hidden in seen]
        assert "def test_unit_scale():" in seen


def test_the_message_of_a_hidden_test_stays(graded):
    assert "shift forgets some entries" in words(page(graded, "eve"))


def test_solutions_are_not_there(graded):
    assert "moved = np.asarray" not in words(page(graded, "eve"))
    assert "Half the memory of float64" not in words(page(graded, "ann"))


@pytest.mark.parametrize("student", ["ann", "eve", "dan"])
def test_nothing_runs(graded, student):
    text = page(graded, student)
    tags = re.findall(r"<[^>]*>", text)
    for pattern in (
        r"^<script",
        r"\son\w+\s*=",
        r"javascript:",
        r"^<(iframe|object|embed|form|base|link|meta http-equiv=.refresh)",
    ):
        assert not [tag for tag in tags if re.search(pattern, tag, re.IGNORECASE)], pattern
    if student != "dan":
        assert "script-src" in text or "default-src 'none'" in text


def test_an_unreadable_submission_is_told_why(graded):
    assert "The submission could not be read" in page(graded, "dan")
