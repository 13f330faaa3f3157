"""The ratio says how many times smaller the model is."""
# loses: test-compare-model-sizes, test-module-quantization

# %% compare-model-sizes
#| export
def compare_model_sizes(original: Module, quantized: Module) -> dict[str, float]:
    before, after = (
        sum(array.nbytes for array in state_arrays(model).values()) for model in (original, quantized)
    )
    return {
        "original_bytes": before, "quantized_bytes": after, "saved_bytes": before - after,
        "ratio": before / after,
    }
