"""The wheel holds the client alone, and the client needs nothing of the server."""

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

import lmvp

ROOT = Path(__file__).parent.parent
CLIENT = sorted(path.relative_to(ROOT).as_posix() for path in (ROOT / "lmvp" / "client").rglob("*.py"))

WITHOUT_THE_SERVER = """
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {"django", "rest_framework", "accounts", "registry", "environ", "numpy"}:
            raise ModuleNotFoundError(f"{name} is not installed here")

sys.meta_path.insert(0, Absent())
"""


def run(code: str, path: Path) -> str:
    """Run the code in a Python of its own that finds `lmvp` under `path`."""
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(path)!r})\n{code}"]
    return subprocess.run(command, capture_output=True, text=True, check=True, cwd="/").stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", str(out), str(ROOT)]
    subprocess.run(command, check=True, capture_output=True)
    return next(out.glob("*.whl"))


def test_the_wheel_holds_exactly_the_client(wheel):
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
    info = f"lmvp-{lmvp.__version__}.dist-info/"
    assert sorted(name for name in names if not name.startswith(info)) == sorted(
        ["lmvp/__init__.py", "lmvp/__main__.py", "lmvp/py.typed", *CLIENT]
    )
    assert f"{info}entry_points.txt" in names
    assert f"{info}licenses/LICENSE" in names


def test_the_wheel_works_where_there_is_no_server(wheel, tmp_path):
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    modules = [name.removesuffix(".py").replace("/", ".") for name in CLIENT]
    imports = "\n".join(f"import {module}" for module in modules)
    code = f"{WITHOUT_THE_SERVER}\n{imports}\nimport lmvp\nprint(lmvp.__file__, lmvp.publish, lmvp.Version)"
    assert run(code, tmp_path).startswith(str(tmp_path))


def test_importing_the_package_imports_nothing_else():
    code = (
        "import lmvp\ntry:\n    from lmvp import nothing_of_ours\nexcept ImportError:\n    pass\n"
        "print([name for name in sys.modules if name.partition('.')[0] in ('requests', 'tqdm', 'numpy')"
        " or name.startswith('lmvp.client')])"
    )
    assert run(code, ROOT) == "[]\n"


def test_help_is_shown_without_what_only_transfers_need():
    code = (
        "import sys\nfrom lmvp.client import cli\ncli.parser().format_help()\n"
        "print([name for name in sys.modules if name in ('requests', 'urllib3', 'tqdm', 'tarfile', 'numpy')])"
    )
    assert run(code, ROOT) == "[]\n"


def test_the_command_line_runs_as_a_module():
    command = [sys.executable, "-m", "lmvp", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout == f"lmvp {lmvp.__version__}\n"
