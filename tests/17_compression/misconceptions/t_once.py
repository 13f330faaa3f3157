"""The temperature divides once, so it multiplies once."""
# loses: test-distillation-loss

# %% distillation-loss
#| export
def distillation_loss(
    student_logits: Tensor, teacher_logits: Tensor, labels: Any, temperature: float, alpha: float
) -> Tensor:
    log_p = log_softmax(teacher_logits.detach() / temperature, axis=-1)  # (N, C)
    log_q = log_softmax(student_logits / temperature, axis=-1)
    divergence = (log_p.exp() * (log_p - log_q)).sum(axis=-1).mean()
    soft = divergence * temperature
    return alpha * soft + (1 - alpha) * cross_entropy(student_logits, labels)
