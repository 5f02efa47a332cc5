"""Which tensors of a run have numbers, and whose they are."""

from __future__ import annotations

from functools import partial

import torch
from torch import Tensor
from torch.utils._pytree import tree_map_only


class Numbers:
    """Which tensors have numbers during a run, and whose they are: nothing is written into what the user holds.

    The first write into a tensor of the user's goes into a copy of its memory, which the rest of the run sees in its
    place. A tensor that was to be filled from a shape alone has numbers that nobody knows.
    """

    def __init__(self, held):
        self.held, self.kept, self.copies, self.unknown = held, None, {}, {}

    def is_kept(self, tensor: Tensor) -> bool:
        """Say whether a tensor is the user's: a parameter, a buffer, something given, or a view of one."""
        if self.kept is None:  # made when it is first needed
            self.kept = {memory_of(tensor) for tensor, _ in self.held.tensors}
        return memory_of(tensor) in self.kept

    def are_missing(self, tensor: Tensor) -> bool:
        """Say whether a tensor is a shape alone, or was to be filled from one that is."""
        return tensor.is_meta or (bool(self.unknown) and memory_of(tensor) in self.unknown)

    def forget(self, tensor: Tensor) -> None:
        """Note that the numbers of a tensor are not known any more."""
        self.unknown[memory_of(tensor)] = tensor  # kept, so that its memory is not used anew

    def without(self, arguments):
        """Return arguments with every tensor as a shape alone; those that are already stay the same object."""
        with torch._C._DisableTorchDispatch():
            return tree_map_only(Tensor, lambda tensor: tensor if tensor.is_meta else shape_alone(tensor), arguments)

    def as_seen(self, arguments, to_write: bool = False):
        """Return arguments with the copies in the place of the user's tensors that were written into, or will be."""
        with torch._C._DisableTorchDispatch():
            return tree_map_only(Tensor, partial(self._as_seen, to_write=to_write), arguments)

    def _as_seen(self, tensor, to_write):
        memory = memory_of(tensor)
        if to_write and memory not in self.copies and self.is_kept(tensor):
            if tensor.is_meta or tensor.layout is not torch.strided or tensor.is_quantized:
                return tensor.clone()
            self.copies[memory] = tensor.untyped_storage().clone()
        if memory not in self.copies:
            return tensor
        seen = torch.empty(0, dtype=tensor.dtype, device=tensor.device)
        return seen.set_(self.copies[memory], tensor.storage_offset(), tensor.shape, tensor.stride())


def memory_of(tensor: Tensor):
    """Return what stands for the memory of a tensor, the same for all its views."""
    return tensor.untyped_storage()._cdata if tensor.layout is torch.strided else id(tensor)


def shape_alone(tensor: Tensor) -> Tensor:
    """Return a tensor without numbers, of the same shape and order in memory as far as there is one."""
    if tensor.layout is not torch.strided or tensor.is_quantized:
        return torch.empty(tensor.shape, dtype=torch.float32 if tensor.is_quantized else tensor.dtype, device="meta")
    return torch.empty_strided(tensor.shape, tensor.stride(), dtype=tensor.dtype, device="meta")
