"""The architecture: what import-linter's contracts in pyproject.toml do not say of the package."""

import ast
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from places import ROOT

PACKAGE = ROOT / "h5vidstack"
MODULES = sorted(PACKAGE.rglob("*.py"))
MOST_LINES = 60
"""Of a function, without its docstring."""
MOST_PARAMETERS = 8
MOST_MODULES_AT_THE_ROOT = 8
OURS = ("h5vidstack", ".")

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name(path: Path) -> str:
    return path.relative_to(PACKAGE).as_posix()


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def functions(path: Path) -> Iterator[tuple[str, Function]]:
    for node in ast.walk(tree(path)):
        if isinstance(node, Function):
            yield f"{name(path)}:{node.lineno} {node.name}", node


def imported(node: ast.Import | ast.ImportFrom) -> Iterator[str]:
    """Names of the packages that a statement imports; ours begins with a dot."""
    if isinstance(node, ast.ImportFrom):
        yield "." * node.level + (node.module or "")
    else:
        yield from (alias.name for alias in node.names)


def lines(node: Function) -> int:
    """Lines of a function without its decorators and its docstring."""
    docstring = node.body[0] if ast.get_docstring(node) is not None else None
    taken = docstring.end_lineno - docstring.lineno + 1 if docstring else 0
    return node.end_lineno - node.lineno + 1 - taken


def parameters(node: Function) -> int:
    """How many parameters count: of public functions only those that may be given by place."""
    arguments = [*node.args.posonlyargs, *node.args.args]
    if arguments and arguments[0].arg in ("self", "cls"):
        arguments = arguments[1:]
    public = not node.name.startswith("_") or node.name == "__init__"
    return len(arguments) + (0 if public else len(node.args.kwonlyargs))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_no_function_imports_our_own_modules(path):
    found = [
        f"{where}: {ast.unparse(inner)}"
        for where, node in functions(path)
        for inner in ast.walk(node)
        if isinstance(inner, ast.Import | ast.ImportFrom)
        and any(package.startswith(OURS) for package in imported(inner))
    ]
    assert found == []


def test_few_modules_at_the_root():
    found = [path.stem for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")]
    assert len(found) <= MOST_MODULES_AT_THE_ROOT, found


def test_no_two_modules_or_packages_of_one_name():
    folders = {path.parent for path in MODULES} - {PACKAGE}
    names = [path.stem for path in MODULES if not path.stem.startswith("__")]
    twice = Counter([*names, *(folder.name for folder in folders)])
    assert [name for name, count in twice.items() if count > 1] == []


def test_no_two_classes_of_one_name():
    names = Counter(
        node.name for path in MODULES for node in tree(path).body if isinstance(node, ast.ClassDef)
    )
    assert [name for name, count in names.items() if count > 1] == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_every_module_says_what_it_holds(path):
    assert ast.get_docstring(tree(path))


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_functions_are_short(path):
    long = [
        f"{where}: {lines(node)}" for where, node in functions(path) if lines(node) > MOST_LINES
    ]
    assert long == []


@pytest.mark.parametrize("path", MODULES, ids=name)
def test_functions_take_few_parameters(path):
    many = [
        f"{where}: {parameters(node)}"
        for where, node in functions(path)
        if parameters(node) > MOST_PARAMETERS
    ]
    assert many == []


def test_every_module_has_its_tests_where_its_path_says():
    """``sources/spool.py`` is tested by ``tests/sources/test_spool.py``, or ``test_spool_*.py``.

    One file may test a package within a package: ``tests/codecs/test_lpc_numpy.py``.
    """
    missing = []
    for path in MODULES:
        folder = ROOT / "tests" / path.parent.relative_to(PACKAGE)
        private = path.stem.startswith("_")  # `__init__` and the like hold no code to test
        whole = folder.parent / f"test_{folder.name}.py"
        if not private and not [
            *folder.glob(f"test_{path.stem}.py"),
            *folder.glob(f"test_{path.stem}_*.py"),
            *([whole] if whole.exists() else []),
        ]:
            missing.append(name(path))
    assert missing == []


def test_every_test_of_a_package_belongs_to_a_module():
    """Tests of several packages lie at the top of ``tests/``."""
    strays = []
    for path in (ROOT / "tests").rglob("test_*.py"):
        package = PACKAGE / path.parent.relative_to(ROOT / "tests")
        if path.parent == ROOT / "tests":
            continue
        modules = {found.stem for found in package.iterdir() if found.suffix in (".py", "")}
        subject = path.stem.removeprefix("test_")
        if not any(
            subject == one or subject.startswith(f"{one}_") for one in {*modules, package.name}
        ):
            strays.append(path.relative_to(ROOT).as_posix())
    assert strays == []
