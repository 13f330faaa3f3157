"""A text in its tokens: every second one shaded, each with a frame, so that colour is not the only sign."""

from collections.abc import Sequence
from html import escape

from tito.lab.shell import current_shell

SHADES = ("#dce9f7", "#fdf3d8")
FRAME = "white-space:pre-wrap;color:black;border:1px solid #555;border-radius:3px;padding:1px 0;margin-right:1px"
LINES = "font-family:monospace;line-height:1.7"


def show_tokens(tokens: Sequence[str | bytes], caption: str = "") -> None:
    """Show where a text was cut: `show_tokens(["to", "ken", "s"])`; outside a notebook nothing happens.

    Args:
        tokens: the pieces in order; bytes that are no whole characters are shown as \\x numbers.
        caption: what stands above them.
    """
    picture = tokens_html(tokens, caption)
    if current_shell() is not None:
        from IPython.display import HTML, display

        display(HTML(picture))


def tokens_html(tokens: Sequence[str | bytes], caption: str = "") -> str:
    """Return what `show_tokens` shows, with a text for readers who cannot see it: the tokens between bars."""
    words = [readable(token) for token in tokens]
    alt = escape(f"{caption}: " * bool(caption) + "|".join(words), quote=True)
    spans = [
        f'<span style="background:{SHADES[number % 2]};{FRAME}">{escape(word)}</span>{"<br>" * word.endswith("⏎")}'
        for number, word in enumerate(words)
    ]
    title = f"<div>{escape(caption)}</div>" if caption else ""
    return f'{title}<div role="img" aria-label="{alt}" style="{LINES}">{"".join(spans)}</div>'


def readable(token: str | bytes) -> str:
    """A token as people can read it: line ends and tabs as signs, broken characters as numbers.

    Example:
        >>> readable(b"caf\\xc3"), readable("a\\n")
        ('caf\\\\xc3', 'a⏎')
    """
    text = token.decode("utf-8", "backslashreplace") if isinstance(token, bytes) else token
    shown = text.replace("\n", "⏎").replace("\t", "⇥")
    return "".join(sign if sign.isprintable() else sign.encode("unicode_escape").decode() for sign in shown)
