"""Keep the weights of a PyTorch network in a file that holds numbers and nothing else (safetensors, no pickle)."""

from pathlib import Path

from safetensors import SafetensorError, safe_open
from safetensors.torch import save as to_bytes


def save(model, path):
    """Write the weights of a network into a safetensors file.

    The file has the name of the network's class, and no code: whoever opens it runs nothing.

    Parameters
    ----------
    model : torch.nn.Module
    path : str or Path
        A file that exists is replaced.

    Examples
    --------
    >>> import tempfile, torch
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     save(torch.nn.Linear(2, 1), Path(folder) / "line.safetensors")
    ...     model = load(torch.nn.Linear(2, 1), Path(folder) / "line.safetensors")
    """
    tensors = {name: value.detach().cpu().contiguous() for name, value in model.state_dict().items()}
    # not save_file, which leaves a file that nobody else on the machine may read
    Path(path).write_bytes(to_bytes(tensors, metadata={"network": type(model).__name__}))


def load(model, path):
    """Read weights that :func:`save` wrote into a network of the same architecture.

    Parameters
    ----------
    model : torch.nn.Module
        Changed in place; its device stays.
    path : str or Path

    Returns
    -------
    torch.nn.Module
        ``model``.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If the file is damaged or no safetensors file, or holds another architecture. ``model`` is then as it was.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f"there is no file {path}; save(model, path) writes one.")
    try:
        with safe_open(path, framework="pt") as file:
            network = (file.metadata() or {}).get("network", "an unnamed network")
            found = {name: file.get_tensor(name) for name in file.keys()}
    except SafetensorError as error:
        raise ValueError(
            f"{path} ({path.stat().st_size:,} bytes) is no whole safetensors file: {error}. Perhaps it is truncated;"
            " write it again with save(model, path)."
        ) from error
    expected = {name: tuple(value.shape) for name, value in model.state_dict().items()}
    shapes = {name: tuple(value.shape) for name, value in found.items()}
    if shapes != expected:
        fault = next(n for n in [*expected, *shapes] if expected.get(n) != shapes.get(n))
        raise ValueError(
            f"{path} holds {network}, which does not fit this {type(model).__name__}: {fault} has the shape"
            f" {shapes.get(fault, 'missing')} in the file, {expected.get(fault, 'missing')} in the network."
            " Build the network with the arguments that it was saved with."
        )
    model.load_state_dict(found)
    return model
