"""Honest wrong answers that are in no bank are told nothing false: what a message may say of them stands here.

Each is one slip in the reference solution of one exercise, tested in the engine of `tito check`. Beside it stands what
the message says of it, every statement read and true of the answer; nothing, where the numbers show nothing.
"""

import copy
import re

import nbformat
import pytest
from nbformat.v4 import new_code_cell
from real import REPOSITORY

from tito.engine.measurements import measurements
from tito.engine.runner import Limits
from tito.registry import MODULES
from tito.sources.build import notebook_text
from tito.student.check import read_result

PAGES = {module.number: module for module in MODULES}
CAUSES = re.compile(r"^  (?:shows|belief|likely) +(.*)$", flags=re.MULTILINE)
NONE_RETURNED = "the answer is None: is a `return` missing?"
ONE_OF_SEVERAL = "may be behind it; other mistakes give this answer, too"

SLIPS = [
    # module, exercise, what stands in its solution, what stands there instead, and what is said of the answer
    (1, "strides", "strides, step = [], 4", "strides, step = [], 8"),
    (1, "arithmetic", "return a / b", "return a // b"),
    (1, "broadcast-shape", "tuple(out)", "tuple(reversed(out))", "the right entries in another order"),
    (1, "matmul-loops", "a[i, k] * b[k, j]", "a[i, k] + b[k, j]"),
    (1, "matmul-loops", "    return c\n", "", NONE_RETURNED),
    (1, "matmul-loops", "a[i, k] *", "a[k, i] *", "raised in matmul_loops, line N: c[i, j] += a[k, i] * b[k, j]"),
    (1, "reduce-var", "keepdims=keepdims) / count", "keepdims=keepdims)"),
    (1, "infer-shape", "prod(n for n in shape if n != -1)", "prod(shape)", "only entry 1 differs"),
    (1, "squared-distances", "- 2 * (a @ b.T)", "- (a @ b.T)"),
    (1, "squared-distances", "- 2 * (a @ b.T)", "+ 2 * (a @ b.T)"),
    (2, "merge-layers", "bias = w2 @ b1 + b2", "bias = w2 @ b1"),
    (2, "relu", "np.maximum(x, 0)", "np.minimum(x, 0)"),
    (2, "relu", "np.maximum(x, 0)", "x > 0"),
    (2, "sigmoid", "return 1 / e", "return e"),
    (2, "sigmoid", "return 1 / e", "return 2 / e - 1"),
    (2, "tanh", "np.tanh(x)", "np.tan(x)"),
    (2, "gelu", "    y *= 0.5\n", ""),
    (2, "softmax", "    e /= e.sum(axis=axis, keepdims=True)\n", "", "every value is 1.503 times the expected one"),
    (2, "softmax", "return e\n", "return np.log(e)\n"),
    (3, "linear", "y += bias", "y -= bias"),
    (
        3,
        "linear",
        "y.reshape(*x.shape[:-1], features_out)",
        "y.reshape(features_out, *x.shape[:-1])",
        "the numbers are right and in order, in another shape",
    ),
    (3, "state-dict", 'f"{path}.{name}" if path else name', 'f"{path}.{name}"', "only entry 0 differs"),
    (3, "state-differences", "missing, unexpected, r", "unexpected, missing, r", "the right entries in another order"),
    (3, "load-state-dict", "array[...] = given[path]", "array += given[path]"),
    (3, "linear-layer", "sqrt(in_features)", "sqrt(out_features)"),
    (
        3,
        "dropout",
        "1 / (1 - p) if p < 1 else 0",
        "1 / p",
        "every value is 4 times the expected one",
        '"p is the probability that a unit lives." gives this same answer',
    ),
    (4, "mse-loss", "(gap * gap).sum()", "np.abs(gap).sum()"),
    (4, "mse-loss", "(gap * gap).sum() / gap.size", "np.sqrt((gap * gap).sum() / gap.size)"),
    (4, "log-softmax", "np.log(np.maximum(total, 1))", "total", "every value is -4"),
    (4, "log-softmax", "return shifted -", "return -shifted +", "every value is 1.38629"),
    (4, "cross-entropy", "np.log(total[:, 0]) - picked", "picked - np.log(total[:, 0])"),
    (4, "cross-entropy", "np.log(total[:, 0]) - picked", "np.log(total[:, 0]) + picked"),
    (4, "binary-cross-entropy", "return -surprise", "return surprise"),
    (4, "binary-cross-entropy-with-logits", "- logits * target", "+ logits * target"),
    (5, "scalar-walk", "g * slope", "g + slope"),
    (5, "rules-mul-div", "return g / b", "return g * b"),
    (5, "rules-mul-div", "-g * out / b", "-g * out"),
    (5, "accumulate", "target.grad + grad", "target.grad - grad", "every value is -9/11 times the expected one"),
    (
        5,
        "unbroadcast",
        "grad.sum(axis=stretched",
        "grad.mean(axis=stretched",
        "every value is 1/3 times the expected one",
    ),
    (5, "numerical-gradient", "(2 * eps)", "eps", "every value is 2 times the expected one"),
    (5, "rules-reductions", "return winners * share", "return winners"),
    (5, "rules-activations", "g * (out > 0)", "g * out"),
    (5, "rules-activations", "g * (1 - out * out)", "g * (1 - out)"),
    (5, "rules-softmax", "out * (g - (g * out)", "out * (g + (g * out)"),
    (5, "rule-cross-entropy", "    saved[np.arange(n), labels] -= 1\n", ""),
    (6, "sgd", "p -= lr * g", "p -= g"),
    (6, "momentum", "p -= lr * direction", "p -= direction", "every value is 2 times the expected one"),
    (6, "momentum", "v *= momentum", "v *= 1 - momentum"),
    (6, "rmsprop", "np.sqrt(s) + eps", "s + eps"),
    (6, "adam", "(1 - beta2) * (g * g)", "(1 - beta2) * g", "2 of 4 values are nan"),
    (6, "adam", "np.sqrt(v_hat) + eps", "v_hat + eps"),
    (6, "adamw", '1 - options["lr"]', '1 + options["lr"]'),
    (6, "train-step", "    return loss.item()\n", "", "the answer holds None: is a `return` missing?"),
    (7, "cosine-rate", "math.cos", "math.sin"),
    (7, "cosine-rate", "(1 + wave) / 2", "(1 + wave)", "every value is 2 times the expected one"),
    (7, "clip-grad-norm", "max_norm / (length + 1e-6)", "length / max_norm", "every value is 5 times the expected one"),
    (7, "clip-grad-norm", "    return length\n", "", NONE_RETURNED),
    (7, "train-step", "    loss.backward()\n", "", "every value is 20"),
    (7, "evaluate", "value / count for", "value for"),
    (7, "early-stopping", "loss < self.best", "loss > self.best"),
    (
        8,
        "collate",
        "for value in column]",
        "for value in column], axis=-1",
        "the numbers are right, but the axes come in the order (1, 0)",
    ),
    (8, "subset", "self.dataset[int(self.indices[index])]", "self.dataset[index]"),
    (8, "random-split", "np.split(order, ends[:-1])", "np.split(order, ends)"),
    (8, "batch-indices", "range(0, stop, batch_size)", "range(0, stop)", "the answer has 7 entries, not 3"),
    (8, "normalize", "(images - mean) / std", "(images - mean) * std"),
    (8, "normalize", "(images - mean) / std", "images - mean / std"),
    (9, "im2col", "np.zeros((C, N", "np.ones((C, N"),
    (9, "conv2d-forward", "y += bias", "y -= bias", "every value is too small by 20"),
    (9, "max-pool-forward", "np.maximum(best, pixel", "np.minimum(best, pixel", "every value is 0"),
    (9, "avg-pool", "/ np.float32(view.shape[1] * view.shape[2])", "", "every value is 4 times the expected one"),
    (9, "batch-norm-forward", "y += bias", "y -= bias", "the sizes are right, 4 of 8 signs are not"),
    (9, "batch-norm-forward", "np.sqrt(var + np.float32(eps))", "(var + np.float32(eps))"),
    (9, "running-statistics", "(count / (count - 1))", "((count - 1) / count)"),
    (9, "batch-norm-backward", '"cm,cm->c", g, normal', '"cm->c", g'),
    (10, "count-pairs", "    return totals\n", ""),
    (10, "merge", "place += 2", "place += 3"),
    (10, "merge", "merged.append(ids[place])", "merged.append(new)", "every value is 9"),
    (
        10,
        "token-bytes",
        "range(256)",
        "range(255)",
        "raised in token_bytes, line N: tokens.append(tokens[left] + tokens[right])",
    ),
    (10, "encode-word", "ranks.get((lowest, ids[place + 1]), inf)", "inf"),
    (10, "split-special", "return [text]", "return text", "the answer is a str, not a list"),
    (11, "one-hot-product", "] = 1", "] = 2", "every value is 2 times the expected one"),
    (11, "one-hot-product", "return one_hot @ weight", "return one_hot"),
    (11, "add-rows-loop", "table[i] += row", "table[i] -= row", "every value has the opposite sign"),
    (
        11,
        "segments",
        "return order, starts[longest], lengths[longest]",
        "return order, lengths[longest], starts[longest]",
    ),
    (11, "sum-rounds", "sums[:longer] +=", "sums[:longer] -="),
    (11, "add-rows", "sums[s] += g", "sums[s] = g"),
    (
        11,
        "embedding-layer",
        "size=(num_embeddings, embedding_dim)",
        "size=(embedding_dim, num_embeddings)",
        "the right entries in another order",
    ),
    (11, "sine-table", "np.cos(angles", "np.sin(angles"),
    (11, "positional-encoding", "x + self", "x * self", "every value is too small by 1"),
    (11, "tied-model", " * sqrt(C)", ""),
    (12, "attention-loops", "/ sum(exponentials)", "* sum(exponentials)"),
    (12, "attention-scores", "1 / sqrt(d)", "sqrt(d)", "every value is 4 times the expected one"),
    (
        12,
        "attention-scores",
        "key.transpose(-2, -1)",
        "key",
        "raised in attention_scores, line N: return (query * (1 / sqrt(d))) @ key  # (..., T, d) @ (..., d, S)",
    ),
    (12, "masks", "np.float32(-inf)", "np.float32(inf)", "the sizes are right, 1 of 2 signs are not"),
    (12, "row-softmax", "    weights /= total\n", "", "every value is 4/3 times the expected one"),
    (12, "row-softmax", "scores + bias", "scores - bias", "3 of 3 values are nan"),
    (
        12,
        "attention-gradients",
        "ds.swapaxes(-1, -2) @ q",
        "ds @ q",
        "raised in attention_gradients, line N: return ds @ k, ds @ q, dv",
    ),
    (12, "attention-gradients", "ds -= np", "ds += np"),
    (12, "weigh", "scores -= top", "scores += top", "every value is 9 times the expected one"),
    (12, "online", "part[2] - top", "top - part[2]"),
    (13, "tempered", "weights.sum(axis=1, keepdims=True)", "weights.sum()"),
    (13, "tempered", "shifted / temperature)", "-shifted / temperature)", "the right values in another order"),
    (13, "cut-tails", "before < p", "before > p", "4 of 8 values are nan"),
    (
        13,
        "extend",
        "drawn[:, None]], axis=1",
        "drawn[:, None]], axis=0",
        "raised in LanguageModel.generate, line N: return rows.reshape(*prompt.shape[:-1], rows.shape[1])",
    ),
    (13, "layer-norm-composed", "(x - mean) / ", "x / "),
    (13, "layer-norm-composed", "* weight + bias", "* bias + weight", "every value is 1"),
    (13, "layer-norm-forward", "y += bias", "y -= bias"),
    (13, "layer-norm-forward", "return y, normal, root", "return y, root, normal"),
    (13, "layer-norm-backward", "dx -= mean_h[:, None]", "dx += mean_h[:, None]", "every value is 3"),
    (13, "layer-norm-backward", "    dx *= (1 / root)[:, None]\n", ""),
    (14, "counted", "self.value * float(other)", "self.value + float(other)", "only entry 0 differs"),
    (14, "own-times", "-= end - begin", "-= end"),
    (14, "timing", "* 1e3", "* 1e6", "only entry 2 differs"),
    (14, "timing", "ranked[above] - ranked[below]", "ranked[below] - ranked[above]"),
    (14, "model-bytes", "owner.nbytes", "owner.size"),
    (14, "roofline", "max(flops", "min(flops"),
    (
        14,
        "roofline",
        "flops_per_byte * bandwidth",
        "bandwidth / flops_per_byte",
        '"The better of the two bounds is what can be reached." gives this same answer',
    ),
    (
        15,
        "memoize",
        "    return remembering\n",
        "    return function\n",
        "only entry 1 differs",
        '"It is enough to remember the last answer." gives this same answer',
    ),
    (15, "memoize", "    return remembering\n", "", "raised in spell, line N: return ways(text), len(work)"),
    (15, "means-so-far", "np.arange(1, len(rows) + 1", "np.arange(2, len(rows) + 2"),
    (15, "means-so-far", "axis=0", "axis=1"),
    (15, "kv-cache", "] = values", "] = keys"),
    (15, "attend-new", "@ values) / scores.sum(axis=-1, keepdims=True)", "@ values)"),
    (15, "block-step", "rows = rows + through", "rows = rows - through"),
    (15, "advance", "        cache.length = stop\n", ""),
    (15, "remembering", "ids[:, cache.length :]", "ids[:, cache.length + 1 :]"),
    (
        16,
        "scale-and-zero-point",
        "np.rint(-top - 1",
        "np.rint(top - 1",
        "every value is 1",
        f'"The lowest whole number is 0, so the zero point is -low / scale." {ONE_OF_SEVERAL}',
    ),
    (
        16,
        "scale-and-zero-point",
        "return scale, zero_point.astype(np.int16)",
        "return zero_point.astype(np.int16), scale",
        "the sizes are right, 2 of 2 signs are not",
    ),
    (16, "quantize-int8", "whole += zero_point", "whole -= zero_point", "every value is too large by 2"),
    (16, "quantize-int8", "x / scale", "x * scale"),
    (16, "dequantize-int8", "* np.float32(scale)", "/ np.float32(scale)", "every value is 4 times the expected one"),
    (
        16,
        "integer-matmul",
        "values.astype(np.int32) @ columns.astype(np.int32)",
        "(columns.astype(np.int32).T @ values.astype(np.int32).T)",
        "the answer is transposed",
    ),
    (16, "int8-linear", "return sums.T", "return sums"),
    (16, "straight-through", "& (whole", "| (whole", "every value is True"),
    (16, "int8-conv", "values[ids], scale[ids]", "values[ids], scale"),
    (17, "magnitude-mask", "sparsity * weight.size", "sparsity * len(weight)"),
    (17, "set-mask", "parameter.mask &= mask", "parameter.mask ^= mask", "True and False have changed places"),
    (
        17,
        "global-masks",
        "part.reshape(array.shape)",
        "part.reshape(array.shape[::-1])",
        "the numbers are right and in order, in another shape",
    ),
    (
        17,
        "strongest-rows",
        "[round(prune_ratio * len(weight)) :]",
        "[: round(prune_ratio * len(weight))]",
        "every value is too large by 1",
        '"The shortest rows stay." gives this same answer',
    ),
    (17, "inputs-that-stay", "kept[:, None] * run", "kept[:, None]"),
    (17, "to-csr", "return weight[rows, columns], columns, starts", "return weight[rows, columns], rows, starts"),
    (17, "low-rank", "U[:, :rank], S", "U[:rank], S", "only entry 0 differs"),
    (17, "distillation-loss", "alpha * soft + (1 - alpha)", "alpha * soft - (1 - alpha)"),
]


@pytest.fixture(scope="module")
def told(runner):
    """`told(slip)` is the message of the exercise's test; a page runs once for all its slips."""
    messages = {}

    def told(slip):
        if slip not in messages:
            slips = [other for other in SLIPS if other[0] == slip[0]]
            notebook = runner.run(page_with(slips), REPOSITORY.root, Limits()).notebook
            results = {test.name: test for test in read_result(notebook).tests}
            for number, other in enumerate(slips):
                assert results[f"slip-{number}"].state == "failed", other
                messages[other] = results[f"slip-{number}"].message
        return messages[slip]

    return told


def page_with(slips):
    """A page in which each answer is followed by its slips, each of them tested and put right again."""
    notebook = nbformat.reads(notebook_text(REPOSITORY, PAGES[slips[0][0]]), as_version=4)
    for place in measurements(notebook):
        notebook.cells[place].source = ""
    for number, (_, exercise, right, wrong, *_) in enumerate(slips):
        names = [cell.id for cell in notebook.cells]
        answer = notebook.cells[names.index(exercise)]
        place = names.index(f"test-{exercise}")
        before, found, after = answer.source.rpartition(right)
        assert found, f"{exercise} has no {right!r}"
        test = copy.deepcopy(notebook.cells[place])
        test.id = test.metadata["nbgrader"]["grade_id"] = f"slip-{number}"
        notebook.cells[place + 1 : place + 1] = [
            new_code_cell(before + wrong + after),
            test,
            new_code_cell(answer.source),
        ]
    last = max(place for place, cell in enumerate(notebook.cells) if cell.id.startswith("slip-"))
    notebook.cells = notebook.cells[: last + 1]
    return notebook


@pytest.mark.parametrize("slip", SLIPS, ids=lambda slip: f"{slip[0]:02d}-{slip[1]}")
def test_an_answer_that_is_in_no_bank_is_told_nothing_false(slip, told):
    message = told(slip)
    assert [re.sub(r"line \d+", "line N", cause) for cause in CAUSES.findall(message)] == [*slip[4:]], message
