"""A quotient is a product with 1/b, so both rules look like a product's."""
# loses: test-rules-mul-div, test-module-autograd

# %% rules-mul-div
#| export
@derivative(mul, "a")
def mul_a(g, b):
    return g * b

@derivative(mul, "b")
def mul_b(g, a):
    return g * a

@derivative(div, "a")
def div_a(g, b):
    return g / b

@derivative(div, "b")
def div_b(g, b, out):
    return g * out / b
