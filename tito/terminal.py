"""A console to which texts from outside give no commands."""

from typing import Any

from rich.console import Console
from rich.text import Text

from tito.printable import printable


class Terminal(Console):
    """rich's console, which passes on the control characters in a text; here they are spelled out."""

    def render_str(self, text: str, **options: Any) -> Text:
        """What is printed of a text."""
        return super().render_str(printable(text, keep="\n\t"), **options)
