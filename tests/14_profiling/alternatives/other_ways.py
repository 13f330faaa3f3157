"""Every exercise solved in another way."""

# %% counted
#| export
class Counted:
    done = 0

    def __init__(self, value):
        self.value = float(value)

    def __float__(self):
        return self.value

    @classmethod
    def noted(cls, value):
        cls.done = cls.done + 1
        return cls(value)

    def __add__(self, number):
        return self.noted(float(self) + float(number))

    def __mul__(self, number):
        return self.noted(float(self) * float(number))

    __radd__, __rmul__ = __add__, __mul__

# %% product-flops
#| export
@flops_of(Linear)
def linear_flops(layer, out, x):
    rows = prod(x.shape[:-1])
    return 2 * rows * layer.weight.numel()


@flops_of(Conv2d)
def conv2d_flops(layer, out, x):
    N, O, Ho, Wo = out.shape
    return 2 * N * Ho * Wo * layer.weight.numel()

# %% transformer-flops
#| export
@flops_of(MultiHeadAttention)
def attention_flops(layer, out, query, key=None, value=None, *masks, **options):
    keys = query if key is None else key
    values = keys if value is None else value
    weights = 2 * layer.embed_dim**2 * sum(prod(x.shape[:-1]) for x in (query, keys, values))
    pairs = prod(query.shape[:-1]) * keys.shape[-2]
    for_each_head = 4 * (layer.embed_dim // layer.num_heads) + 6
    return weights + pairs * layer.num_heads * for_each_head


@flops_of(FeedForward)
def feed_forward_flops(layer, out, x):
    return 9 * x.numel() // layer.up.in_features * layer.up.out_features


@flops_of(TransformerBlock)
def block_flops(layer, out, x, *rest, **named):
    return x.numel() + x.numel()


@flops_of(GPT)
def gpt_flops(layer, out, ids):
    return 2 * np.size(ids) * layer.embedding.weight.numel()

# %% observing
#| export
import contextlib


def put_back(layer, own):
    if own is None:
        del vars(layer)["forward"]
    else:
        vars(layer)["forward"] = own


@contextmanager
def observing(model, watch):
    with contextlib.ExitStack() as after:
        for path, layer in layers_of(model):
            new = watch(path, layer)
            after.callback(put_back, layer, vars(layer).get("forward"))
            layer.forward = new
        yield

# %% own-times
#| export
def own_times(spans):
    own = [b - a for a, b in spans]
    for i, (a, b) in enumerate(spans):
        around = [j for j in range(i) if spans[j][0] <= a and b <= spans[j][1]]
        if around:
            own[around[-1]] -= b - a
    return own

# %% timing
#| export
def time_calls(function, warmup, iterations):
    def once(_):
        start = time.perf_counter_ns()
        function()
        return (time.perf_counter_ns() - start) / 1e6

    return [once(i) for i in range(warmup + iterations)][warmup:]


def percentile(samples, q):
    return float(np.percentile(np.asarray(samples), q))

# %% model-bytes
#| export
def count_bytes(arrays):
    weighed, seen = 0, []
    for owner in map(owner_of, arrays):
        if not any(owner is other for other in seen):
            seen.append(owner)
            weighed += owner.size * owner.itemsize
    return weighed

# %% roofline
#| export
def intensity(flops, moved):
    if moved == 0:
        return 0.0
    return float(flops) / float(moved)


def attainable(flops_per_byte, peak, bandwidth):
    ridge = peak / bandwidth
    return peak if flops_per_byte >= ridge else bandwidth * flops_per_byte


def least_ms(flops, moved, peak, bandwidth):
    seconds = max(flops / (peak * 1e9), moved / (bandwidth * 1e9))
    return 1000 * seconds
