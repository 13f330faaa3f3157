"""An exponent is one number, so it can be compared with 2."""
# loses: test-arithmetic

# %% arithmetic
#| export
@op
def add(a, b):
    return a + b


@op
def sub(a, b):
    return a - b


@op
def mul(a, b):
    return a * b


@op
def div(a, b):
    return a / b


@op
def power(x, exponent):
    if exponent == 2:
        return x * x
    if exponent == 3:
        return x * x * x
    return x**exponent
