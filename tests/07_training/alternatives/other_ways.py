"""Every exercise solved in another way."""

# %% step-lr
#| export
class StepLR(LRScheduler):
    def __init__(self, optimizer, step_size, gamma=0.1):
        self.step_size, self.gamma = whole_steps("step_size", step_size), gamma
        super().__init__(optimizer)

    def rate(self, base_lr, step):
        for _ in range(step // self.step_size):
            base_lr *= self.gamma
        return base_lr

# %% cosine-lr
#| export
class CosineAnnealingLR(LRScheduler):
    def __init__(self, optimizer, T_max, eta_min=0.0):
        self.T_max, self.eta_min = whole_steps("T_max", T_max), eta_min
        super().__init__(optimizer)

    def rate(self, base_lr, step):
        share = math.cos(math.pi * step / (2 * self.T_max)) ** 2
        return share * base_lr + (1 - share) * self.eta_min

# %% linear-lr
#| export
class LinearLR(LRScheduler):
    def __init__(self, optimizer, start_factor=1 / 3, end_factor=1.0, total_iters=5):
        self.start_factor, self.end_factor = start_factor, end_factor
        self.total_iters = whole_steps("total_iters", total_iters)
        super().__init__(optimizer)

    def rate(self, base_lr, step):
        if step >= self.total_iters:
            return base_lr * self.end_factor
        left = 1 - step / self.total_iters
        return base_lr * (left * self.start_factor + (1 - left) * self.end_factor)

# %% clip-grad-norm
#| export
def clip_grad_norm_(parameters, max_norm):
    parameters = [p for p in parameters if p.grad is not None]
    length = float(np.sqrt(sum(np.square(p.grad, dtype=np.float64).sum() for p in parameters)))
    if not np.isfinite(length):
        raise FloatingPointError(f"length {length}")
    for p in parameters:
        p.grad = p.grad * np.float32(min(1.0, max_norm / (length + 1e-6)))
    return length

# %% train-step
#| export
def train_step(model, optimizer, loss_function, x, y, max_norm=None):
    loss = loss_function(model(as_input(x)), y)
    value = loss.item()
    if not np.isfinite(value):
        raise FloatingPointError(f"loss {value}")
    model.zero_grad()
    loss.backward()
    if max_norm:
        clip_grad_norm_(model.parameters(), max_norm)
    optimizer.step()
    return value

# %% evaluate
#| export
def evaluate(model, loss_function, batches, metrics=None):
    was_training = model.training
    model.train(False)
    lengths, values = [], []
    try:
        for x, y in batches:
            with no_grad():
                output = model(as_input(x))
                row = [float(loss_function(output, y))]
            row += [metric(output.numpy(), raw(y)) for metric in (metrics or {}).values()]
            lengths.append(len(y))
            values.append(row)
    finally:
        model.train(was_training)
    if not lengths:
        raise ValueError("no batches")
    means = np.average(np.array(values), axis=0, weights=lengths)
    return {name: float(mean) for name, mean in zip(["loss", *(metrics or {})], means, strict=True)}

# %% early-stopping
#| export
class EarlyStopping:
    def __init__(self, patience):
        self.patience = whole_steps("patience", patience)
        self.best, self.waited = math.inf, 0

    @property
    def finished(self):
        return self.waited >= self.patience

    def update(self, loss):
        better = bool(loss < self.best)
        self.best = loss if better else self.best
        self.waited = 0 if better else self.waited + 1
        return better

# %% save-checkpoint
#| export
def save_checkpoint(path, arrays, metadata):
    target = Path(path)
    beside = target.with_name(f".{target.name}.{os.getpid()}")
    content = dict(arrays) | {"metadata": np.array(json.dumps(metadata))}
    try:
        with beside.open("wb") as file:
            write_arrays(file, content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(target)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
