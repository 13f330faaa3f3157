"""The number of elements is the length."""
# loses: test-block

# %% block
#| export
class Block:
    __slots__ = ("_data",)

    def __init__(self, data):
        self._data = np.array(data, dtype=np.float32)

    @property
    def shape(self):
        return self._data.shape

    def numel(self):
        return len(self._data)

    def item(self):
        return self._data.flat[0].item()

    def numpy(self):
        return self._data
