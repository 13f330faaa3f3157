"""What a rule answers has the shape of its input already."""
# loses: test-backward, test-module-autograd

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
            accumulate(target, rule(node.grad, *kept))
        node.release()
