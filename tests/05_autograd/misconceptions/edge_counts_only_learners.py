"""The places of the rules are counted among the inputs that require a gradient."""
# loses: test-connect, test-module-autograd

# %% connect
#| export
def connect(inputs, rules, values):
    learners = [x for x in inputs if isinstance(x, Tensor) and x._requires_grad]
    edges = []
    for i, x in enumerate(learners):
        rule, pick = rules[i]
        values[-2:] = x.shape, i
        edges.append((x._grad_fn or x, x.shape, rule, pick(values)))
    return edges
