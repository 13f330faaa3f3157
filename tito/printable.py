"""Text from outside, fit to be printed."""


def printable(text: str, keep: str = "") -> str:
    """Return a text whose control characters and broken Unicode, but for those to `keep`, are spelled out.

    A terminal obeys control characters: a file's name could empty the screen, or forge a line of a report.

    Example:
        >>> print(printable("ann\\x1b[2J"))
        ann\\x1b[2J
    """
    return "".join(c if c.isprintable() or c in keep else c.encode("unicode_escape").decode() for c in text)
