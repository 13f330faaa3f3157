"""Every Tensor that went into an operation gets an edge."""
# loses: test-connect

# %% connect
#| export
def connect(inputs, rules, values):
    edges = []
    for i, x in enumerate(inputs):
        if isinstance(x, Tensor):
            rule, pick = rules[i]
            values[-2:] = x.shape, i
            edges.append((x._grad_fn or x, x.shape, rule, pick(values)))
    return edges
