"""The values are made of the keys."""
# loses: test-multi-head

# %% multi-head
#| export
class MultiHeadAttention(AttentionBase):

    def forward(self, query: Tensor, key: Tensor | None = None, value: Tensor | None = None,
                attn_mask: Any = None, is_causal: bool = False, need_weights: bool = False) -> Any:
        key = query if key is None else key
        value = key if value is None else value
        bias = self.check(query, key, value, attn_mask)
        share = self.dropout if self.training else 0.0
        itself = query is key is value and query.ndim == 3
        if itself and not needs_composed(bias, share, need_weights):
            packed = self.pack(query)  # (B, T, 3C), one product
            return self.out_proj(PackedAttention.apply(packed, self.num_heads, bias, is_causal))
        parts = self.project(query, key, key)  # (B, T, C), (B, S, C), (B, S, C)
        heads = [split_heads(part, self.num_heads) for part in parts]  # (B, H, T or S, d)
        how = {"attn_mask": bias, "dropout_p": share, "is_causal": is_causal}
        if not need_weights:
            return self.out_proj(merge_heads(scaled_dot_product_attention(*heads, **how)))
        out, weights = scaled_dot_product_attention(*heads, **how, need_weights=True)
        return self.out_proj(merge_heads(out)), weights  # (B, T, C), (B, H, T, S)
