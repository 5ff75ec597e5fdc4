"""What pages about a version share: the chooser of a revision, the address of the server and of its client, icons of files."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from django import template
from django.conf import settings
from django.urls import reverse
from django.utils.safestring import SafeString

from registry import wheels
from registry.models import Ref, RegisteredModel
from registry.models.names import Names, names_of
from registry.templatetags.pages import icon
from registry.trees import Entry

register = template.Library()

REVISION = ":"  # in the address of a chooser: where the name goes; no project or model has it in its own
FILE_ICONS = {
    name: shown
    for shown, names in {
        "archive": "zip tar gz tgz bz2 xz zst 7z whl",
        "database": "parquet arrow feather sqlite db h5 hdf5",
        "file-binary": "bin pt pth ckpt safetensors onnx gguf npy npz pkl joblib pb tflite mlmodel keras",
        "file-code": "py ipynb sh r jl c h cpp cu js ts rs go java sql json jsonl yaml yml toml ini cfg xml html css",
        "image": "png jpg jpeg gif webp svg bmp tif tiff",
        "law": "license licence copying notice",
        "log": "log",
        "markdown": "md markdown",
        "table": "csv tsv xlsx ods",
    }.items()
    for name in names.split()
}


@register.simple_tag
def file_icon(entry: Entry) -> SafeString:
    """Write an icon for a kind of file, by its name."""
    if entry.is_directory:
        return icon("file-directory-fill")
    stem, _, ending = entry.name.lower().rpartition(".")
    return icon(FILE_ICONS.get(ending if stem or "." in entry.name else entry.name.lower(), "file"))


@register.inclusion_tag("registry/parts/ref_chooser.html")
def ref_chooser(model: RegisteredModel, revision: str, address: str, names: Names | None = None) -> dict[str, Any]:
    """Write a menu of branches, tags and aliases, each leading to `address` with its name in place of the first “:”.

    `{% url 'web:tree-at' project model.name ':' path as address %}{% ref_chooser model revision address %}`; where it
    has a field to filter by (that is script), the page loads `registry/filter.js`. `names`, where they were read before.
    """
    names = names or names_of(model)
    groups = [
        (kind, words, [(name, address.replace(REVISION, name, 1)) for name in found])
        for kind, words, found in (
            (Ref.Kind.BRANCH, "Branches", names.branches),
            (Ref.Kind.ALIAS, "Aliases", names.aliases),
            (Ref.Kind.TAG, "Tags", names.tags),
        )
        if found
    ]
    revision = model.default_branch if revision == "latest" else revision
    chosen = next((kind for kind, _, found in groups if revision in (name for name, _ in found)), "")
    return {"model": model, "revision": revision, "groups": groups, "chosen": chosen, "more": names.more}


@register.simple_tag(takes_context=True)
def server(context: template.Context) -> str:
    """Write the server's address as its visitor reaches it, and as the settings spell it where that is the same."""
    request = context["request"]
    known: str = settings.LMVP_URL
    return known if urlsplit(known).netloc == request.get_host() else f"{request.scheme}://{request.get_host()}"


@register.simple_tag
def client_wheel() -> str:
    """Write the path of the client's wheel, for `pip install {% server %}{% client_wheel %}`."""
    return reverse("web:client-wheel", args=[wheels.client_wheel().name])
