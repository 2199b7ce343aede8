"""``OtherDevice`` stands in for an accelerator: it reports tensors that a program has forgotten to move."""

from __future__ import annotations

import torch
from lightning_fabric import Fabric
from lightning_utilities import apply_to_collection
from torch.multiprocessing.reductions import StorageWeakRef
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

_ACROSS_DEVICES = (torch.ops.aten.copy_.default,)


class OtherDevice(TorchDispatchMode):
    """Lets ``Fabric.to_device`` move tensors to a second device, which in truth is the CPU.

    While it is entered, an operation on tensors of both devices is an error, as with a real accelerator, and so is a
    convolution on the CPU. Scalars are exempt. Results are on the device of the arguments; ``Tensor.cpu`` moves back.
    """

    def __init__(self, monkeypatch) -> None:
        super().__init__()
        self._there: dict[int, StorageWeakRef] = {}  # a weak reference keeps the address from being used again
        monkeypatch.setattr(Fabric, "to_device", lambda _, moved: self._move(moved))
        monkeypatch.setattr(torch.Tensor, "cpu", lambda tensor: self._copy(tensor, there=False))
        to_numpy = torch.Tensor.numpy
        monkeypatch.setattr(torch.Tensor, "numpy", lambda tensor: None if self.holds(tensor) else to_numpy(tensor))

    def holds(self, tensor) -> bool:
        """Return whether a tensor is on the second device."""
        return tensor.untyped_storage()._cdata in self._there

    def __torch_dispatch__(self, operation, types, arguments=(), options=None):
        tensors = [t for t in tree_leaves((arguments, options)) if isinstance(t, torch.Tensor)]
        there = [self.holds(t) for t in tensors if t.ndim]
        if operation not in _ACROSS_DEVICES and len(set(there)) > 1:
            raise AssertionError(f"{operation} mixes devices: {[(t.shape, self.holds(t)) for t in tensors]}")
        if "convolution" in str(operation) and not any(there):
            raise AssertionError(f"{operation} on the CPU")
        result = operation(*arguments, **(options or {}))
        if operation not in _ACROSS_DEVICES and any(self.holds(t) for t in tensors):
            for tensor in tree_leaves(result):
                self._put(tensor)
        return result

    def _move(self, moved):
        if isinstance(moved, torch.nn.Module):
            for tensor in [*moved.parameters(), *moved.buffers()]:
                tensor.data = self._copy(tensor.data, there=True)
            return moved
        return apply_to_collection(moved, torch.Tensor, lambda tensor: self._copy(tensor, there=True))

    def _copy(self, tensor, *, there):
        copy = torch.empty_like(tensor, device="meta")  # its memory format
        copy = torch.empty_strided(copy.shape, copy.stride(), dtype=tensor.dtype).copy_(tensor)
        if there:
            self._put(copy)
        return copy

    def _put(self, tensor):
        if isinstance(tensor, torch.Tensor):
            storage = tensor.untyped_storage()
            self._there[storage._cdata] = StorageWeakRef(storage)
