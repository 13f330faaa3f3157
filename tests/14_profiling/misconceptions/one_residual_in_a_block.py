"""A block adds its input once."""
# loses: test-transformer-flops, test-module-profiling

# %% transformer-flops
#| export
@flops_of(MultiHeadAttention)
def attention_flops(
    layer: MultiHeadAttention, out: Any, query: Tensor, key: Tensor | None = None,
    value: Tensor | None = None, *masks: Any, **options: Any,
) -> int:  # fmt: skip
    B, T, C = prod(query.shape[:-2]), query.shape[-2], layer.embed_dim
    S = T if key is None else key.shape[-2]
    return 2 * B * (T + S + S) * C * C + 4 * B * T * S * C + 6 * B * layer.num_heads * T * S


@flops_of(FeedForward)
def feed_forward_flops(layer: FeedForward, out: Tensor, x: Tensor) -> int:
    return prod(x.shape[:-1]) * 9 * layer.up.out_features


@flops_of(TransformerBlock)
def block_flops(layer: TransformerBlock, out: Tensor, x: Tensor, *rest: Any, **named: Any) -> int:
    return out.numel()


@flops_of(GPT)
def gpt_flops(layer: GPT, out: Tensor, ids: Any) -> int:
    return out.numel() * 2 * layer.embedding.embedding_dim
