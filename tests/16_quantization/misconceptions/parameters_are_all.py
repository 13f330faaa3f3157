"""A model's numbers are its parameters."""
# loses: test-compare-model-sizes

# %% compare-model-sizes
#| export
def compare_model_sizes(original: Module, quantized: Module) -> dict[str, float]:
    before, after = (
        sum(parameter.data.nbytes for parameter in model.parameters())
        for model in (original, quantized)
    )
    return {
        "original_bytes": before, "quantized_bytes": after, "saved_bytes": before - after,
        "ratio": after / before,
    }
