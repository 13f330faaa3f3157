"""The order in which a search finds the nodes is an order to walk them in."""
# loses: test-topological-order

# %% topological-order
#| export
def topological_order(root):
    order, queue = [root], [root]
    while queue:
        for node in queue.pop(0).targets():
            if node not in order:
                order.append(node)
                queue.append(node)
    return order
