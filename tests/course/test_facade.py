"""The facades: PyTorch's names, loaded when asked for, whatever is missing or broken elsewhere."""

import subprocess
import sys
from pathlib import Path

import pytest

from tito.registry import Module
from tito.sources.facade import facade_files

ROWS = (
    Module(1, "tensor", "core.tensor", (), 1, 1, "", {"": ("Tensor", "zeros")}),
    Module(3, "layers", "core.layers", (1,), 1, 1, "", {"nn": ("Linear",), "nn.functional": ("linear",)}),
    Module(4, "losses", "core.losses", (1, 3), 1, 1, "", {"nn": ("MSELoss",)}),
    Module(5, "autograd", "core.autograd", (1,), 1, 1, "", {"": ("no_grad",)}),
    Module(6, "optimizers", "core.optimizers", (1,), 1, 1, "", {"optim": ("SGD",)}),
    Module(8, "dataloader", "data.loader", (1,), 1, 1, ""),
)
TENSOR = "class Tensor: engine = None\ndef zeros(): return 0\ndef keep_freed_memory(): print('memory kept')\n"
LAYERS = "from tinytorch.core.tensor import Tensor\nclass Linear: pass\ndef linear(): return 'linear'\n"
AUTOGRAD = (
    "from tinytorch.core.tensor import Tensor\nfrom tinytorch import zeros\nclass no_grad: pass\n"
    "def enable_autograd(): Tensor.engine = 'on'\n"
)


@pytest.fixture
def package(tmp_path) -> Path:
    for name, text in facade_files(ROWS).items():
        path = tmp_path / "tinytorch" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path / "tinytorch"


def run(package: Path, code: str) -> subprocess.CompletedProcess:
    return subprocess.run([sys.executable, "-c", code], cwd=package.parent, capture_output=True, text=True, timeout=60)


def output(package: Path, code: str) -> str:
    done = run(package, code)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    return done.stdout.strip()


def last_error(package: Path, code: str) -> str:
    done = run(package, code)
    assert done.returncode == 1
    return done.stderr.strip().splitlines()[-1]


def test_the_files_follow_from_the_registry():
    assert sorted(facade_files(ROWS)) == [
        "__init__.py",
        "_lazy.py",
        "core/__init__.py",
        "data/__init__.py",
        "nn/__init__.py",
        "nn/functional.py",
        "optim.py",
    ]


def test_a_facade_can_be_a_package_that_holds_parts(tmp_path):
    row = Module(8, "dataloader", "data.loader", (), 1, 1, "", {"data": ("DataLoader",)})
    for name, text in facade_files([row]).items():
        path = tmp_path / "tinytorch" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "tinytorch" / "data" / "loader.py").write_text("class DataLoader: pass\n")
    code = "import tinytorch; from tinytorch.data import DataLoader, loader; data = tinytorch.data"
    code += "; print(DataLoader is loader.DataLoader, data.__all__, data.__doc__)"
    assert output(tmp_path / "tinytorch", code) == (
        "True ['DataLoader'] `tinytorch.data`: names as PyTorch has them, on what you built."
    )


def test_an_empty_package_imports(package):
    assert (
        output(package, "import tinytorch; from tinytorch import nn, optim; print(tinytorch.__all__, nn.__all__)")
        == "[] []"
    )


@pytest.mark.parametrize(
    "code",
    [
        "from tinytorch.nn import Linear",
        "from tinytorch import nn; nn.Linear",
        "import tinytorch; tinytorch.nn.Linear",
        "import tinytorch.nn.functional as F; F.linear",
        "from tinytorch.core.layers import Linear",
        "import tinytorch.core.layers",
    ],
)
def test_a_name_of_a_later_module_says_which_and_what_to_do(package, code):
    expected = "tinytorch.core.layers is built in module 03 (layers): finish that module, then run `tito export 03`."
    assert last_error(package, code) == f"ModuleNotFoundError: {expected}"


def test_a_part_that_imports_a_missing_part_says_so(package):
    (package / "core" / "layers.py").write_text(LAYERS)
    assert "core.tensor is built in module 01" in last_error(package, "from tinytorch.nn import Linear")


def test_names_load_when_asked_for(package):
    (package / "core" / "tensor.py").write_text("class Tensor: pass\ndef zeros(): return 0\n")
    (package / "core" / "layers.py").write_text(LAYERS)
    code = """
import sys, tinytorch
from tinytorch import Tensor, nn
import tinytorch.nn.functional as F
assert "tinytorch.core.layers" not in sys.modules
assert nn.Linear is nn.Linear and nn.functional is F and tinytorch.nn is nn
print(tinytorch.__all__, nn.__all__, F.linear(), "Linear" in dir(nn), "MSELoss" in dir(nn))
"""
    assert output(package, code) == "['Tensor', 'zeros'] ['Linear'] linear True False"


def test_a_star_import_gives_what_is_there(package):
    (package / "core" / "tensor.py").write_text("class Tensor: pass\ndef zeros(): return 0\n")
    assert output(package, "from tinytorch import *; print(zeros(), 'no_grad' in globals())") == "0 False"


def test_an_unknown_name_is_an_attribute_error(package):
    assert output(package, "import tinytorch; print(hasattr(tinytorch, 'nonsense'))") == "False"
    assert "no attribute 'Tensr'" in last_error(package, "import tinytorch; tinytorch.Tensr")
    assert "cannot import name 'nonsense'" in last_error(package, "from tinytorch import nonsense")


def test_a_name_that_the_student_did_not_define_is_named_with_its_module(package):
    (package / "core" / "tensor.py").write_text("class Tensor: pass\n")
    assert "tinytorch.core.tensor defines no zeros: it belongs to module 01" in last_error(
        package, "from tinytorch import zeros"
    )


def test_importing_switches_on_what_is_there(package):
    (package / "core" / "tensor.py").write_text(TENSOR)
    assert output(package, "import tinytorch; print(tinytorch.Tensor.engine)") == "memory kept\nNone"
    (package / "core" / "autograd.py").write_text(AUTOGRAD)
    for code in ("import tinytorch", "import tinytorch.core.autograd", "import tinytorch.core.tensor"):
        assert output(package, f"{code}; print(tinytorch.core.tensor.Tensor.engine)") == "memory kept\non"


@pytest.mark.parametrize(
    "broken", ["def f(:\n", "undefined_name\n", "1 / 0\n", "raise NotImplementedError\n", "[][0]\n"]
)
def test_one_broken_part_stops_nobody_else(package, broken):
    (package / "core" / "tensor.py").write_text(TENSOR)
    (package / "core" / "losses.py").write_text(broken)
    assert output(package, "from tinytorch import Tensor, nn; print(Tensor.__name__)") == "memory kept\nTensor"
    (package / "core" / "autograd.py").write_text("import tinytorch.core.losses\n")
    done = run(package, "from tinytorch import Tensor; print(Tensor.__name__)")
    assert done.stdout == "memory kept\nTensor\n"
    assert "UserWarning: tinytorch.core.autograd does not load" in done.stderr
    assert "`tito export 05`" in done.stderr


def test_generated_files_say_so_on_line_1():
    for text in facade_files(ROWS).values():
        assert text.splitlines()[0].startswith("# Generated by `tito export` from tito/")
        compile(text, "facade", "exec")
