"""NumPy turns a cube into products by itself."""
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
    return x**exponent
