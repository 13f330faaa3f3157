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
        {"": ("Tensor", "arange", "cat", "eye", "full", "manual_seed", "ones", "rand", "randn", "stack", "zeros")},
    ),
    Module(
        2, "activations", "core.activations", (1,), 45, 2, "the bends: ReLU, sigmoid, tanh, GELU, softmax",
        {"nn": ("GELU", "ReLU", "Sigmoid", "Softmax", "Tanh"),
         "nn.functional": ("gelu", "relu", "sigmoid", "softmax", "tanh")},
    ),
    Module(
        3, "layers", "core.layers", (1, 2), 50, 3, "modules with parameters: Linear, Dropout, state_dict",
        {"nn": ("Dense", "Dropout", "Linear", "Module", "Parameter"), "nn.functional": ("dropout", "linear")},
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
        9, "spatial", "core.spatial", (1, 2, 3, 4, 5), 90, 6, "windows on images: convolution, pooling, batch norm",
        {"nn": ("AdaptiveAvgPool2d", "AvgPool2d", "BatchNorm2d", "Conv2D", "Conv2d", "Flatten", "MaxPool2D",
                "MaxPool2d"),
         "nn.functional": ("adaptive_avg_pool2d", "avg_pool2d", "batch_norm", "conv2d", "max_pool2d")},
    ),
)  # fmt: skip


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
