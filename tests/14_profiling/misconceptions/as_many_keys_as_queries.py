"""There are as many keys as queries."""
# loses: test-transformer-flops

# %% transformer-flops
#| export
@flops_of(MultiHeadAttention)
def attention_flops(
    layer: MultiHeadAttention, out: Any, query: Tensor, key: Tensor | None = None,
    value: Tensor | None = None, *masks: Any, **options: Any,
) -> int:  # fmt: skip
    C, rows = layer.embed_dim, prod(query.shape[:-1])
    S = query.shape[-2]
    others = rows // query.shape[-2] * S
    return 2 * rows * C * C + 4 * others * C * C + 4 * rows * S * C + 6 * rows * layer.num_heads * S


@flops_of(FeedForward)
def feed_forward_flops(layer: FeedForward, out: Tensor, x: Tensor) -> int:
    return prod(x.shape[:-1]) * 9 * layer.up.out_features


@flops_of(TransformerBlock)
def block_flops(layer: TransformerBlock, out: Tensor, x: Tensor, *rest: Any, **named: Any) -> int:
    return out.numel() * 2


@flops_of(GPT)
def gpt_flops(layer: GPT, out: Tensor, ids: Any) -> int:
    return out.numel() * 2 * layer.embedding.embedding_dim
