"""What to try first after a failed check: whatever fits what the call gave or raised."""

from typing import Any

COMPARE = "print both values for one small input and follow the first line that differs"
RETURN = "let every way through the function end in a `return`"


def next_step(got: Any) -> str:
    """Return the next step for a wrong value, or for the exception that came instead of one.

    Example:
        >>> next_step(None)
        'let every way through the function end in a `return`'
    """
    match got:
        case None:
            return RETURN
        case NameError(name=str(name)):
            return f"run the cell that defines '{name}', to its end; if it has run, check the spelling"
        case AttributeError() | TypeError() if "NoneType" in str(got):
            return f"a call gave None: {RETURN}"
        case SystemExit():
            return "return a value; where something is wrong, raise an error that says what"
        case BaseException():
            return "make this call in a cell of its own and look at what its variables hold there"
    return COMPARE
