"""Every exercise solved in another way."""

# %% cosine-rate
#| export
def cosine_rate(base_lr, step, T_max, eta_min=0.0):
    share = math.cos(math.pi * step / (2 * T_max)) ** 2
    return share * base_lr + (1 - share) * eta_min

# %% warm-up-rate
#| export
def warm_up_rate(base_lr, step, start_factor, end_factor, total_iters):
    if step >= total_iters:
        return base_lr * end_factor
    left = 1 - step / total_iters
    return base_lr * (left * start_factor + (1 - left) * end_factor)

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

# %% train-epoch
#| export
def train_epoch(trainer, batches, after_step):
    trainer.model.train(True)
    for pair in trainer.open(batches):
        rate = trainer.optimizer.param_groups[0]["lr"]
        trainer.history.loss += [trainer.take_step(*pair)]
        trainer.history.lr += [rate]
        if trainer.scheduler is not None:
            trainer.scheduler.step()
        trainer.batch = trainer.batch + 1
        after_step()

# %% checkpoint-state
#| export
def checkpoint_state(trainer):
    state = {name: getattr(trainer, name) for name in ("best", "history", "epoch", "batch", "random_at_epoch")}
    state["random"] = generator().bit_generator.state
    state |= {"stopping": None, "scheduler": None, "loader": None}
    if trainer.stopping is not None:
        state["stopping"] = [trainer.stopping.best, trainer.stopping.waited]
    for name, part in (("model", trainer.model), ("optimizer", trainer.optimizer), ("scheduler", trainer.scheduler), ("loader", trainer.batches)):
        if hasattr(part, "state_dict"):
            state[name] = part.state_dict()
    return state
