"""What goes on to the sources is all the gradient that has arrived so far."""
# loses: test-scalar-walk

# %% scalar-walk
def send_back(value, g):
    value.grad += g
    for source, slope in zip(value.sources, value.slopes):
        send_back(source, value.grad * slope)
