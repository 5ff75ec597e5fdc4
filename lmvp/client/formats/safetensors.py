"""PyTorch modules, state dicts, and dicts of tensors or of NumPy arrays, as `.safetensors`: numbers and names, no code.

A module needs its class again: it comes back as its state dict, or is loaded into a module of the caller's. Tensors
that share their memory are written once each. The header says, as elsewhere, what they were: format is pt or np.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from lmvp.client.errors import ValidationFailed
from lmvp.client.formats.format import Format, Loading, Unfit
from lmvp.client.formats.libraries import is_a, is_installed, needed
from lmvp.client.formats.numpy import is_array_dict

ONE = "tensor"  # the name of a tensor that has none
# Modules that are more than their tensors, and whose libraries have a way to keep all of it.
MORE = {
    "transformers.modeling_utils.PreTrainedModel": "it has a configuration too: write it with save_pretrained(directory)",
    "torch.jit.ScriptModule": "it has code too: write it with torch.jit.save",
}


def _is_tensors(obj: Any) -> bool:
    if is_a(obj, "torch.nn.Module", "torch.Tensor"):
        return True
    return (
        isinstance(obj, Mapping)
        and bool(obj)
        and all(isinstance(name, str) and is_a(value, "torch.Tensor") for name, value in obj.items())
    )


def _save_tensors(obj: Any, path: Path) -> dict[str, Any]:
    library = needed("safetensors.torch", "safetensors", f"Keeping a {type(obj).__name__}")
    library.save_file(_separate(_state(obj)), path, metadata={"format": "pt"})
    return {"alone": True} if is_a(obj, "torch.Tensor") else {}


def _state(obj: Any) -> Mapping[str, Any]:
    if is_a(obj, "torch.Tensor"):
        return {ONE: obj}
    if not is_a(obj, "torch.nn.Module"):
        tensors: Mapping[str, Any] = obj
        return tensors
    if more := [reason for kind, reason in MORE.items() if is_a(obj, kind)]:
        raise Unfit(more[0])
    state: Mapping[str, Any] = getattr(
        obj, "_orig_mod", obj
    ).state_dict()  # torch.compile wraps a module, and would rename everything
    if other := [name for name, value in state.items() if not is_a(value, "torch.Tensor")]:
        raise Unfit(f"“{other[0]}” of its state dict is no tensor")
    if not state:
        raise Unfit("it has no parameters")
    return state


def _separate(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return the tensors in memory of their own each, as the file has them."""
    seen: set[tuple[str, int]] = set()
    separate = {}
    for name, tensor in state.items():
        tensor = tensor.detach().contiguous()
        memory = (str(tensor.device), tensor.untyped_storage().data_ptr())
        separate[name] = tensor.clone() if memory in seen else tensor
        seen.add(memory)
    return separate


def _save_arrays(obj: Any, path: Path) -> None:
    np = needed("numpy", "numpy", path.name)
    library = needed("safetensors.numpy", "safetensors", path.name)
    library.save_file(
        {name: np.require(array, requirements="C") for name, array in obj.items()}, path, {"format": "np"}
    )


def _load(path: Path, loading: Loading) -> Any:
    safetensors = needed("safetensors", "safetensors", path.name)
    with safetensors.safe_open(path, framework="np") as file:
        of_torch = (file.metadata() or {}).get("format") == "pt"
    if loading.into is not None:
        return _into(loading.into, path)
    if not of_torch:
        return needed("safetensors.numpy", "safetensors", path.name).load_file(path)
    needed("torch", "torch", path.name)
    tensors = needed("safetensors.torch", "safetensors", path.name).load_file(path)
    return tensors[ONE] if loading.details.get("alone") is True and set(tensors) == {ONE} else tensors


def _into(module: Any, path: Path) -> Any:
    if not hasattr(module, "load_state_dict"):
        raise ValidationFailed(f"A {type(module).__name__} has no load_state_dict. Give a PyTorch module as `into`.")
    needed("torch", "torch", path.name)
    state = needed("safetensors.torch", "safetensors", path.name).load_file(path)
    getattr(module, "_orig_mod", module).load_state_dict(state)
    return module


FORMATS = (
    Format(
        "safetensors",
        _load,
        _is_tensors,
        _save_tensors,
        "model.safetensors",
        suffixes=(".safetensors",),
        libraries=("torch", "safetensors"),
        takes_into=True,
    ),
    Format(
        "safetensors-numpy",
        _load,
        lambda obj: is_array_dict(obj) and is_installed("safetensors"),
        _save_arrays,
        "arrays.safetensors",
        libraries=("numpy", "safetensors"),
        takes_into=True,
    ),
)
