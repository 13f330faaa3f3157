"""Two convolutional networks on random images: a LeNet on 28 x 28, and one of CIFAR's size on 3 x 32 x 32."""

from collections.abc import Callable
from typing import Any

import numpy as np

from benchmarks.contenders import torch_or_none
from benchmarks.harness import Steps, Workload
from tinytorch import Tensor, nn, no_grad
from tinytorch.nn import functional as F
from tinytorch.optim import SGD

LR = 1e-4  # small: the weights hardly move, so every round does the same work
LENET, CIFAR = (32, 1, 28, 28), (64, 3, 32, 32)


class LeNet(nn.Module):
    """LeCun et al. 1998 with ReLU and max pooling."""

    def __init__(self) -> None:
        self.conv1 = nn.Conv2d(1, 6, 5, padding=2)
        self.conv2 = nn.Conv2d(6, 16, 5)
        self.fc1 = nn.Linear(400, 120)
        self.fc2 = nn.Linear(120, 84)
        self.fc3 = nn.Linear(84, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 1, 28, 28) -> (N, 10)"""
        x = self.pool(F.relu(self.conv1(x)))  # (N, 6, 14, 14)
        x = self.pool(F.relu(self.conv2(x)))  # (N, 16, 5, 5)
        x = x.flatten(1)  # (N, 400)
        return self.fc3(F.relu(self.fc2(F.relu(self.fc1(x)))))


class CifarNet(nn.Module):
    """Three 3 x 3 convolutions, two poolings, one linear layer."""

    def __init__(self) -> None:
        self.conv1 = nn.Conv2d(3, 32, 3, padding=1)
        self.conv2 = nn.Conv2d(32, 32, 3, padding=1)
        self.conv3 = nn.Conv2d(32, 64, 3, padding=1)
        self.fc = nn.Linear(64 * 8 * 8, 10)
        self.pool = nn.MaxPool2d(2)

    def forward(self, x: Tensor) -> Tensor:
        """(N, 3, 32, 32) -> (N, 10)"""
        x = F.relu(self.conv1(x))  # (N, 32, 32, 32)
        x = self.pool(F.relu(self.conv2(x)))  # (N, 32, 16, 16)
        x = self.pool(F.relu(self.conv3(x)))  # (N, 64, 8, 8)
        return self.fc(x.flatten(1))


def twin(torch: Any, name: str) -> Any:
    """The same network in PyTorch."""
    T = torch.nn

    class LeNetTwin(T.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = T.Conv2d(1, 6, 5, padding=2), T.Conv2d(6, 16, 5)
            self.fc1, self.fc2, self.fc3 = T.Linear(400, 120), T.Linear(120, 84), T.Linear(84, 10)
            self.pool = T.MaxPool2d(2)

        def forward(self, x: Any) -> Any:
            x = self.pool(torch.relu(self.conv1(x)))
            x = self.pool(torch.relu(self.conv2(x))).flatten(1)
            return self.fc3(torch.relu(self.fc2(torch.relu(self.fc1(x)))))

    class CifarTwin(T.Module):  # type: ignore[misc]
        def __init__(self) -> None:
            super().__init__()
            self.conv1, self.conv2 = T.Conv2d(3, 32, 3, padding=1), T.Conv2d(32, 32, 3, padding=1)
            self.conv3, self.fc = T.Conv2d(32, 64, 3, padding=1), T.Linear(64 * 8 * 8, 10)
            self.pool = T.MaxPool2d(2)

        def forward(self, x: Any) -> Any:
            x = self.pool(torch.relu(self.conv2(torch.relu(self.conv1(x)))))
            return self.fc(self.pool(torch.relu(self.conv3(x))).flatten(1))

    return {"LeNet": LeNetTwin, "CifarNet": CifarTwin}[name]()


def data(shape: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Random images and labels."""
    rng = np.random.default_rng(0)
    return rng.normal(size=shape).astype(np.float32), rng.integers(0, 10, size=shape[0])


def our_train_step(network: Callable[[], nn.Module], shape: tuple[int, ...]) -> tuple[nn.Module, Callable[[], float]]:
    """A network and its training step."""
    images, labels = data(shape)
    model, x = network(), Tensor(images)
    optimizer = SGD(model.parameters(), lr=LR)

    def step() -> float:
        loss = F.cross_entropy(model(x), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, step


def torch_train_step(torch: Any, name: str, shape: tuple[int, ...]) -> tuple[Any, Callable[[], float]]:
    """The same in PyTorch."""
    images, labels = data(shape)
    model, x, y = twin(torch, name), torch.tensor(images), torch.tensor(labels)
    optimizer = torch.optim.SGD(model.parameters(), lr=LR)

    def step() -> float:
        loss = torch.nn.functional.cross_entropy(model(x), y)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return loss.item()

    return model, step


def train(network: Callable[[], nn.Module], shape: tuple[int, ...]) -> Steps:
    """Forward, backward and an SGD step, from the same weights."""
    model, step = our_train_step(network, shape)
    steps: Steps = {"tinytorch": step}
    if torch := torch_or_none():
        theirs, steps["torch"] = torch_train_step(torch, type(model).__name__, shape)
        theirs.load_state_dict({k: torch.tensor(v) for k, v in model.state_dict().items()})
    return steps


def forward(network: Callable[[], nn.Module], shape: tuple[int, ...]) -> Steps:
    """The forward pass alone, without recording."""
    images, _ = data(shape)
    model, x = network(), Tensor(images)

    def ours() -> float:
        with no_grad():
            return float(np.abs(model(x).data).sum())

    steps: Steps = {"tinytorch": ours}
    if torch := torch_or_none():
        theirs, torch_x = twin(torch, type(model).__name__), torch.tensor(images)
        theirs.load_state_dict({k: torch.tensor(v) for k, v in model.state_dict().items()})

        def run_torch() -> float:
            with torch.no_grad():
                return float(theirs(torch_x).abs().sum())

        steps["torch"] = run_torch
    return steps


WORKLOADS = [
    Workload("LeNet, 32x1x28x28, forward", 0.75, lambda: forward(LeNet, LENET), rounds=60),
    Workload("LeNet, 32x1x28x28, train step", 1.0, lambda: train(LeNet, LENET), rounds=40),
    Workload("CNN of CIFAR's size, 64x3x32x32, forward", 0.8, lambda: forward(CifarNet, CIFAR), rounds=15),
    Workload("CNN of CIFAR's size, 64x3x32x32, train step", 1.2, lambda: train(CifarNet, CIFAR), rounds=10),
]
