"""The wheel holds the client alone, the client needs nothing of the server, and a server hands out the same wheel."""

import csv
import hashlib
import io
import os
import shutil
import subprocess
import sys
import sysconfig
import venv
import zipfile
from base64 import urlsafe_b64encode
from email import message_from_bytes
from pathlib import Path

import pytest
from django.test import Client

import lmvp
from registry.wheels import client_wheel, make_wheel
from tests.cast import publish
from tests.servers import running_server

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


def members(wheel: Path | io.BytesIO) -> dict[str, bytes]:
    with zipfile.ZipFile(wheel) as archive:
        assert archive.testzip() is None
        return {name: archive.read(name) for name in archive.namelist()}


def test_the_server_s_wheel_is_the_one_that_make_packs(wheel):
    packed, assembled = members(wheel), members(io.BytesIO(client_wheel().content))
    info = f"lmvp-{lmvp.__version__}.dist-info/"
    assert client_wheel().name == wheel.name
    assert sorted(assembled) == sorted(packed)
    by_tools = {f"{info}{name}" for name in ("METADATA", "WHEEL", "RECORD")}  # each names its maker or its version
    assert {name: assembled[name] for name in assembled if name not in by_tools} == {
        name: packed[name] for name in packed if name not in by_tools
    }
    ours, theirs = (message_from_bytes(one[f"{info}METADATA"]) for one in (assembled, packed))
    del ours["Metadata-Version"], theirs["Metadata-Version"]
    assert ours.items() == theirs.items()
    assert ours.get_payload() == theirs.get_payload()


def test_the_server_s_wheel_records_every_member():
    assembled = members(io.BytesIO(client_wheel().content))
    record = f"lmvp-{lmvp.__version__}.dist-info/RECORD"
    rows = {name: (digest, size) for name, digest, size in csv.reader(io.StringIO(assembled[record].decode()))}
    assert rows.pop(record) == ("", "")
    assert rows == {
        name: (f"sha256={urlsafe_b64encode(hashlib.sha256(content).digest()).rstrip(b'=').decode()}", str(len(content)))
        for name, content in assembled.items()
        if name != record
    }


def test_the_image_holds_what_the_wheel_is_made_of(tmp_path):
    for line in (ROOT / ".dockerignore").read_text().splitlines():
        if line.startswith("!"):
            place = ROOT / line[1:]
            (shutil.copytree if place.is_dir() else shutil.copy)(place, tmp_path / line[1:])
    assert make_wheel(tmp_path) == client_wheel()


@pytest.mark.django_db
def test_everyone_gets_the_wheel_and_nothing_under_another_name():
    built = client_wheel()
    answer = Client().get(f"/client/{built.name}")
    assert answer.status_code == 200
    assert answer.content == built.content
    assert answer["Content-Disposition"] == f'attachment; filename="{built.name}"'
    assert Client().get(f"/client/{built.name}", headers={"If-None-Match": answer["ETag"]}).status_code == 304
    other = Client().get("/client/lmvp-9.9.9-py3-none-any.whl")  # no way to sign in: pip would take it for a wheel
    assert other.status_code == 404
    assert built.name in other.content.decode()


@pytest.mark.parametrize("page", ["/client/", "/", "/vision/", "/vision/empty/", "/vision/classifier/"])
def test_pages_that_tell_of_the_client_say_where_it_is(cast, page):
    cast.model("empty")
    publish(cast.alice, cast.model(), {"weights.bin": b"1"}, message="first")
    client = Client()
    client.force_login(
        cast.charlie if page == "/" else cast.alice
    )  # charlie is in no project, and is told how to begin
    if page == "/client/":
        client.logout()
    said = client.get(page).content.decode()
    assert f"pip install http://testserver/client/{client_wheel().name}" in said


def test_documents_name_the_wheel_of_this_version():
    for name in ("README.md", "docs/client.md", "docs/cli.md"):
        assert f"pip install http://localhost:8000/client/{client_wheel().name}" in (ROOT / name).read_text(), name


def test_pip_installs_a_working_client_from_a_running_server(tmp_path):
    place = tmp_path / "venv"
    venv.create(place)
    python = place / "bin" / "python"
    with running_server(tmp_path / "server") as server:
        address = f"{server.url}/client/{client_wheel().name}"
        # Its dependencies would come from the internet: those of this Python are lent to it below.
        command = [sys.executable, "-m", "pip", "--python", python, "install", "--no-deps", "--no-index", address]
        subprocess.run([*command, "--disable-pip-version-check"], check=True, capture_output=True)
    lent = os.environ | {"PYTHONPATH": sysconfig.get_paths()["purelib"]}
    command = [place / "bin" / "lmvp", "--version"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, cwd=tmp_path, env=lent)
    assert done.stdout == f"lmvp {lmvp.__version__}\n"
    code = "import lmvp.client.api; print(lmvp.client.api.__file__)"
    done = subprocess.run([python, "-c", code], capture_output=True, text=True, check=True, cwd=tmp_path, env=lent)
    assert done.stdout.startswith(str(place))


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
