"""A graph is walked by a function that calls itself."""
# loses: test-topological-order

# %% topological-order
#| export
def topological_order(root):
    order, seen = [], set()

    def visit(node):
        if node not in seen:
            seen.add(node)
            for child in node.targets():
                visit(child)
            order.append(node)

    visit(root)
    return order[::-1]
