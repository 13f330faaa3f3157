"""The list of modules: the only place that knows it.

Folder names, test folders, pytest markers, the package's facades and the command line's help derive
from these rows; `tests/course/test_registry.py` fails when anything disagrees with them.
"""

from dataclasses import dataclass, field

from tito.errors import CourseError


@dataclass(frozen=True)
class Module:
    """One module of the course.

    number:  position in the course, 1-based.
    name:    the word used in every file and folder name.
    export:  where its `#| export` cells go, relative to the package ("core.tensor").
    needs:   numbers of the modules whose exports it imports.
    points:  sum of the points of its graded cells.
    hours:   expected working time of a student.
    gives:   one phrase for tables and help texts.
    facades: which of its names a facade module re-exports; "" is the package itself.
    """

    number: int
    name: str
    export: str
    needs: tuple[int, ...]
    points: int
    hours: float
    gives: str
    facades: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def folder(self) -> str:
        """Folder and assignment name, such as "01_tensor"."""
        return f"{self.number:02d}_{self.name}"

    @property
    def marker(self) -> str:
        """pytest marker, such as "m01"."""
        return f"m{self.number:02d}"

    @property
    def source(self) -> str:
        """Path of the teaching source inside the course."""
        return f"modules/{self.folder}/{self.name}_dev.py"

    @property
    def target(self) -> str:
        """Path of the exported file inside the course."""
        return f"tinytorch/{self.export.replace('.', '/')}.py"


MODULES: tuple[Module, ...] = (
    Module(
        1, "tensor", "core.tensor", (), 60, 4, "arrays with shapes: arithmetic, broadcasting, matmul, reductions",
        {"": ("Tensor", "arange", "cat", "eye", "from_numpy", "full", "full_like", "linspace", "load", "manual_seed",
              "maximum", "minimum", "ones", "ones_like", "rand", "rand_like", "randint", "randn", "randn_like",
              "randperm", "save", "stack", "tensor", "tril", "triu", "where", "zeros", "zeros_like")},
    ),
    Module(
        2, "activations", "core.activations", (1,), 45, 2, "the bends: ReLU, sigmoid, tanh, GELU, softmax",
        {"nn": ("GELU", "ReLU", "Sigmoid", "Softmax", "Tanh"),
         "nn.functional": ("gelu", "relu", "sigmoid", "softmax", "tanh")},
    ),
    Module(
        3, "layers", "core.layers", (1, 2), 50, 3, "modules with parameters: Linear, Dropout, state_dict",
        {"nn": ("Dense", "Dropout", "Identity", "Linear", "Module", "ModuleDict", "ModuleList", "Parameter",
                "ParameterList"),
         "nn.functional": ("dropout", "linear"),
         "nn.init": ("constant_", "kaiming_normal_", "kaiming_uniform_", "normal_", "ones_", "uniform_",
                     "xavier_normal_", "xavier_uniform_", "zeros_")},
    ),
    Module(
        4, "losses", "core.losses", (1, 2, 3), 45, 2, "how wrong is it: mean squared error, cross-entropy",
        {"nn": ("BCELoss", "BCEWithLogitsLoss", "BinaryCrossEntropyLoss", "CrossEntropyLoss", "MSELoss"),
         "nn.functional": ("binary_cross_entropy", "binary_cross_entropy_with_logits", "cross_entropy", "log_softmax",
                           "mse_loss")},
    ),
    Module(
        5, "autograd", "core.autograd", (1, 2, 3, 4), 95, 6, "derivatives of everything: recording, backward, no_grad",
        {"": ("enable_autograd", "no_grad"), "autograd": ("Function", "gradient_check", "no_grad")},
    ),
    Module(
        6, "optimizers", "core.optimizers", (1, 2, 3, 4, 5), 60, 3, "where to step and how far: momentum, Adam, AdamW",
        {"optim": ("SGD", "Adam", "AdamW", "Optimizer", "RMSprop")},
    ),
    Module(
        7, "training", "core.training", (1, 2, 3, 4, 5, 6), 70, 4, "long runs: schedules, clipping, runs that resume",
        {"": ("Trainer",), "nn.utils": ("clip_grad_norm", "clip_grad_norm_"),
         "optim.lr_scheduler": ("CosineAnnealingLR", "LRScheduler", "LinearLR", "SequentialLR", "StepLR")},
    ),
    Module(
        8, "dataloader", "data.loader", (1,), 70, 3, "batches of real data: shuffling, gathering, prefetch, files",
        {"data": ("CIFAR10", "DataLoader", "Dataset", "Digits", "ImageDataset", "MNIST", "Normalize", "RandomCrop",
                  "RandomHorizontalFlip", "Subset", "TensorDataset", "collate", "random_split")},
    ),
    Module(
        9, "spatial", "core.spatial", (1, 2, 3, 4, 5, 6, 7, 8), 90, 6,
        "windows on images: convolution, pooling, batch norm",
        {"nn": ("AdaptiveAvgPool2d", "AvgPool2d", "BatchNorm2d", "Conv2D", "Conv2d", "Flatten", "MaxPool2D",
                "MaxPool2d"),
         "nn.functional": ("adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "conv2d", "max_pool2d")},
    ),
    Module(
        10, "tokenization", "text.tokenization", (), 85, 4, "text as numbers and back: characters, bytes, merged pairs",
        {"text": ("BPETokenizer", "CharTokenizer")},
    ),
    Module(
        11, "embeddings", "text.embeddings", (1, 2, 3, 4, 5, 6), 75, 4,
        "a row for each token and for each place: lookup, its gradient, weight tying",
        {"nn": ("Embedding", "PositionalEncoding"), "nn.functional": ("embedding",)},
    ),
    Module(
        12, "attention", "core.attention", (1, 3, 4, 5, 6), 90, 6,
        "where to look: queries and keys, masks, heads, in linear memory",
        {"nn": ("MultiHeadAttention", "MultiheadAttention"),
         "nn.functional": ("scaled_dot_product_attention",)},
    ),
    Module(
        13, "transformers", "models.transformer", (1, 2, 3, 4, 5, 6, 7, 8, 11, 12), 80, 6,
        "a GPT of one's own: layer norm, the pre-norm block, sampling",
        {"nn": ("FeedForward", "LayerNorm", "TransformerBlock"), "nn.functional": ("layer_norm",),
         "models": ("GPT", "TransformerBlock")},
    ),
    Module(
        14, "profiling", "profiling.profiler", (1, 2, 3, 4, 5, 9, 11, 12, 13), 80, 5,
        "where time and memory go: FLOPs by layer, latency, bytes, a roofline",
        {"profiling": ("Profiler", "flops_of", "measure_machine", "model_bytes")},
    ),
    Module(
        15, "memoization", "generation.kv_cache", (1, 3, 4, 5, 6, 11, 12, 13), 75, 4,
        "nothing computed twice: memoization, the key-value cache, text at several times the speed",
        {"generation": ("KVCache", "generate")},
    ),
    Module(
        16, "quantization", "optimization.quantization", (1, 2, 3, 4, 5, 6, 7, 9, 11, 12, 13, 14), 95, 5,
        "a byte for a weight: scale and zero point, the int8 product, calibration",
        {"optimization": ("QuantizedConv2d", "QuantizedEmbedding", "QuantizedLinear", "compare_model_sizes",
                          "dequantize_int8", "quantize_int8", "quantize_model")},
    ),
    Module(
        17, "compression", "optimization.compression", (1, 2, 3, 4, 5, 6, 9, 14), 85, 6,
        "the same answers from fewer numbers: pruning, sparse and thin layers, distillation",
        {"optimization": ("CompressionComplete", "KnowledgeDistillation", "LowRankLinear", "SparseLinear",
                          "compress_model", "forget_masks", "low_rank_approximate", "magnitude_prune",
                          "measure_sparsity", "structured_prune")},
    ),
)  # fmt: skip


_METHODS = ("abs", "add", "clamp", "div", "exp", "log", "matmul", "mean", "mul", "norm", "permute", "pow", "reshape",
            "sqrt", "square", "squeeze", "std", "sub", "sum", "transpose", "unsqueeze", "var", "flatten", "argmax",
            "chunk", "split")  # fmt: skip

# Names of PyTorch's that a facade does not have: what to write. See docs/from-pytorch.md.
INSTEAD: dict[str, dict[str, str]] = {
    "": {
        **{name: f"it is a method here, x.{name}(...)" for name in _METHODS},
        "max": "it is a method here, x.max(axis=1) or x.max(dim=1)",
        "min": "it is a method here, x.min(axis=1) or x.min(dim=1)",
        "mm": "write x @ y", "bmm": "write x @ y", "dot": "write x @ y", "einsum": "write x @ y, permute and sum",
        "relu": "write F.relu(x)", "sigmoid": "write F.sigmoid(x)", "tanh": "write F.tanh(x)",
        "softmax": "write F.softmax(x, axis=-1)",
        "float32": "every Tensor is float32: leave dtype out", "float64": "every Tensor is float32: leave dtype out",
        "long": "labels and indices are NumPy arrays of integers", "int64": "labels are NumPy arrays of integers",
        "device": "there is one device, the processor", "cuda": "there is one device, the processor",
        "set_grad_enabled": "write with no_grad():", "inference_mode": "write with no_grad():",
        "enable_grad": "leave the no_grad() block", "concat": "write cat", "concatenate": "write cat",
        "empty": "write zeros(...)", "allclose": "write np.allclose(x.data, y.data)",
        "equal": "write np.array_equal(x.data, y.data)", "utils": "write from tinytorch.data import DataLoader",
        "as_tensor": "write tensor(...), which copies", "topk": "write np.argsort(-x.numpy(), axis)[..., :k]",
        "isnan": "write np.isnan(x.numpy())", "log1p": "write (1 + x).log()",
        "quantize_per_tensor": "write tinytorch.optimization.quantize_int8(x)",
        "quantize_per_channel": "write tinytorch.optimization.quantize_int8(x, axis=0)",
        "quantization": "write tinytorch.optimization.quantize_model(model), or QuantizedLinear(layer)",
        "ao": "write tinytorch.optimization.quantize_model(model), or QuantizedLinear(layer)",
        "sparse": "write tinytorch.optimization.SparseLinear(weight)",
        "profiler": "write from tinytorch.profiling import Profiler",
    },
    "nn": {
        "Sequential": "write a class whose forward shows each step",
        "LeakyReLU": "write where(x > 0, x, 0.01 * x)",
        "TransformerEncoderLayer": "write TransformerBlock, which norms before it attends",
        "RMSNorm": "write x / ((x * x).mean(dim=-1, keepdim=True) + 1e-6).sqrt()",
        "NLLLoss": "write CrossEntropyLoss, which takes logits",
        "L1Loss": "write (prediction - target).abs().mean()", "BatchNorm1d": "write F.batch_norm(x, ...)",
        "DataParallel": "there is one device, the processor", "LogSoftmax": "write F.log_softmax(x, axis=-1)",
        "EmbeddingBag": "write Embedding(n, d)(ids).mean(axis=1)",
        "KLDivLoss": "write (p * (log_p - log_q)).sum(axis=-1).mean() of F.log_softmax",
        "quantized": "write tinytorch.optimization.quantize_model(model), or QuantizedLinear(layer)",
    },
    "nn.functional": {
        "one_hot": "write np.eye(classes, dtype=np.float32)[labels]",
        "nll_loss": "write cross_entropy, which takes logits",
        "l1_loss": "write (prediction - target).abs().mean()", "normalize": "write x / x.norm(dim=-1, keepdim=True)",
        "pad": "write np.pad before Tensor(...), or padding= of a convolution",
        "leaky_relu": "write where(x > 0, x, 0.01 * x)",
        "kl_div": "write (p * (log_p - log_q)).sum(axis=-1).mean() of F.log_softmax",
    },
    "nn.utils": {"prune": "write tinytorch.optimization.magnitude_prune(model, share), or structured_prune"},
    "optim": {"Adagrad": "write RMSprop", "LBFGS": "write Adam"},
}  # fmt: skip


def find_module(text: str | int) -> Module:
    """Return the module that a person means by "5", "05", "autograd" or "05_autograd".

    Raises:
        CourseError: no module matches; the message lists those there are.
    """
    word = str(text).strip().lower()
    for module in MODULES:
        if word in (str(module.number), f"{module.number:02d}", module.name, module.folder):
            return module
    known = ", ".join(module.folder for module in MODULES)
    raise CourseError(f"There is no module '{text}'.", f"Choose one of: {known}.")
