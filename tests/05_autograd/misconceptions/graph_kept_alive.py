"""Nothing needs to be released: Python frees what nobody uses."""
# loses: test-backward

# %% backward
#| export
def backward(tensor, grad=None):
    seed = seed_gradient(tensor, grad)
    root = tensor._grad_fn
    if root is None:
        accumulate(tensor, seed)
        return
    nodes = topological_order(root)
    root.grad = seed
    for node in nodes:
        for target, shape, rule, kept in node.edges:
            accumulate(target, fit(rule(node.grad, *kept), node.grad, shape, target))
        node.grad = None
