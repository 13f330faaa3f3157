"""np.array picks the right type of number by itself."""
# loses: test-block

# %% block
#| export
class Block:
    __slots__ = ("_data",)

    def __init__(self, data):
        self._data = np.array(data)

    @property
    def shape(self):
        return self._data.shape

    def numel(self):
        return self._data.size

    def item(self):
        if self._data.size != 1:
            raise ValueError(f"{self.shape} has more than one element")
        return self._data.item()

    def numpy(self):
        return self._data.copy()
