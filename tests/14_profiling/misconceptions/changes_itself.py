"""The left number takes the result and is handed on."""
# loses: test-counted

# %% counted
#| export
class Counted:

    done = 0

    def __init__(self, value: Any) -> None:
        self.value = float(value)

    def __float__(self) -> float:
        return self.value

    def __add__(self, other: Any) -> "Counted":
        Counted.done += 1
        self.value += float(other)
        return self

    def __mul__(self, other: Any) -> "Counted":
        Counted.done += 1
        self.value *= float(other)
        return self

    __radd__, __rmul__ = __add__, __mul__
