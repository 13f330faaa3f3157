"""A text in its tokens: what is shown can be read without colours, and without seeing it."""

import re
import sysconfig
import xml.etree.ElementTree as ET
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from tito.lab import load_python_source
from tito.lab.tokens import SHADES, readable, show_tokens, tokens_html


def parsed(html):
    return ET.fromstring(f"<div>{html.replace('<br>', '<br/>')}</div>")


def test_every_token_has_a_frame_and_every_second_one_a_shade():
    spans = list(parsed(tokens_html(["to", "ken", "s"])).iter("span"))
    assert [span.text for span in spans] == ["to", "ken", "s"]
    assert all("border:1px solid" in span.attrib["style"] for span in spans)
    assert all("white-space:pre-wrap" in span.attrib["style"] for span in spans), "spaces are tokens too"
    assert [re.search("background:(#[0-9a-f]+)", span.attrib["style"])[1] for span in spans] == [*SHADES, SHADES[0]]


def test_the_caption_and_the_tokens_are_told_to_those_who_cannot_see_them():
    picture = parsed(tokens_html(["a", " <b>", '"'], caption="3 tokens"))
    (box,) = (part for part in picture.iter("div") if part.get("role") == "img")
    assert box.attrib["aria-label"] == '3 tokens: a| <b>|"'
    assert picture[0].text == "3 tokens"


def test_signs_for_what_cannot_be_seen():
    assert [readable(token) for token in (b"\xe7\x8c", "a\n", "\t", "\x00", "猫")] == [
        "\\xe7\\x8c",
        "a⏎",
        "⇥",
        "\\x00",
        "猫",
    ]
    assert tokens_html(["a\n", "b"]).count("<br>") == 1


@given(st.lists(st.text(max_size=5) | st.binary(max_size=5), max_size=8))
def test_whatever_is_shown_is_well_formed(tokens):
    picture = parsed(tokens_html(tokens))
    assert [span.text or "" for span in picture.iter("span")] == [readable(token) for token in tokens]


def test_outside_a_notebook_nothing_happens(capsys):
    show_tokens(["a"])
    assert capsys.readouterr() == ("", "")


def test_the_source_of_the_standard_library_is_read_in_order():
    first = min(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    text = load_python_source(200_000)
    assert len(text) == 200_000
    assert text.startswith(first.read_text(encoding="utf-8")[:200_000])
    assert load_python_source(1000) == text[:1000]
