"""Which tensors of a run hold products, so that a sum over them is known as a sum of products.

x·w, number by number, is no sum yet, and what moves, scales, masks or adds such products makes none. A sum along an
axis does, if both factors vary along it: Σ xᵢ·wᵢ. Where one factor is the same for the whole axis, as the gate of a
channel is for its map, it can be taken out, Σ w·xᵢ = w·Σ xᵢ: that sum is pooling. What varies is kept as a tensor
without numbers, whose stride is 0 along the other axes: a view of the products is then the same view of it.
"""

from __future__ import annotations

from weakref import ref

import torch
from torch import Tensor
from torch.utils._pytree import tree_leaves

from convlab.forward.no_products import ADDING, MOVING
from convlab.forward.values import memory_of

FACTORS = {"mul": (0, 1), "mul_relu": (0, 1), "addcmul": (1, 2), "lerp": (1, 2)}  # which arguments are multiplied
SUMS = ADDING | {"sum", "nansum", "mean", "col2im", "_embedding_bag", "_embedding_bag_forward_only"}
ORDERING = {"sort", "topk"}  # of the numbers themselves, which they return in another order
LINEAR = set("add add_relu sub rsub div neg where masked_fill native_dropout clone lift_fresh _to_copy".split())
LINEAR |= {"conj_physical", "dequantize", *FACTORS}
LINEAR |= {"cat", "constant_pad_nd", "flip", "roll"}  # axis for axis; the rest of MOVING mixes the axes
SEVERAL = "_foreach_"  # begins the names of what is done to a list of tensors, one by one


class Products:
    """The tensors that hold products, each with what varies in both factors."""

    def __init__(self):
        self.found = {}  # by identity: how to reach the tensor, and what varies
        self.memories = {}  # those into a part of which products were written

    def mark(self, tensor: Tensor, *factors: Tensor) -> None:
        """Note that a tensor holds the products of two factors; x·x is a square, as in a norm, and no such product."""
        if factors[0] is factors[1]:
            return
        both = [*map(all, zip(*(_varies(one, tensor.dim()) for one in factors)))]
        self._keep(tensor, [both, *self._lines([one for one in factors if one in self], tensor.dim())])

    def clear(self, tensor: Tensor) -> None:
        """Note that a tensor holds something else from now on."""
        self.found.pop(id(tensor), None)
        if self.memories:
            self.memories.pop(memory_of(tensor), None)

    def move(self, tensor: Tensor, target: Tensor) -> None:
        """Note that a target holds from now on what a tensor held."""
        reach, varying = self.found.pop(id(tensor), (None, None))
        if reach:
            self._keep(target, view=varying)

    def __bool__(self) -> bool:
        return bool(self.found)

    def __contains__(self, tensor: Tensor) -> bool:
        if not self.found or not isinstance(tensor, Tensor):
            return False
        return self._is_found(tensor) or bool(self.memories and memory_of(tensor) in self.memories)

    def _is_found(self, tensor):
        return id(tensor) in self.found and self.found[id(tensor)][0]() is tensor

    def _what_varies(self, tensor):
        return self.found[id(tensor)][1] if self._is_found(tensor) else torch.empty(tensor.shape, device="meta")

    def _lines(self, products, axes):
        """Say for each of some products whether they vary on each of so many axes, counted from the last."""
        return [_varies(self._what_varies(one), max(axes, one.dim())) for one in products]

    def _keep(self, tensor, lines=None, view=None):
        """Note what varies in a tensor: on which axes, in one of these lines; a view; everything if not known."""
        if view is None:
            sizes = tensor.shape if lines is None else [n if any(line) else 1 for n, *line in zip(tensor.shape, *lines)]
            view = torch.empty(sizes, device="meta").expand(tensor.shape)
        self.found[id(tensor)] = (lambda: tensor) if tensor.is_meta else ref(tensor), view  # on meta it holds no data

    def is_sum(self, operation, args: tuple, kwargs: dict, out) -> bool:
        """Note what an operation makes of products, and say whether it is a sum of products."""
        name = operation.overloadpacket.__name__.rstrip("_")
        if name.startswith(SEVERAL):
            return self._follow_several(name.removeprefix(SEVERAL), args, out)
        factors = [args[n] for n in FACTORS.get(name, ()) if n < len(args)]
        if len(factors) == 2 and all(isinstance(one, Tensor) and one.dim() for one in factors):
            self.mark(out, *factors)
            self._note_memory(operation, out)
            return False
        products = self.found and [leaf for leaf in _tensors((args, kwargs)) if leaf in self]
        if not products:
            return False
        outs = _tensors(out)
        if name in SUMS or (name == "index_put" and _accumulates(args, kwargs)):
            axes = _summed_axes(name, args, kwargs)
            is_sum = any(self._varies_along(one, axes) for one in products)
            for leaf in () if is_sum else outs:
                lines = self._lines(products, leaf.dim())
                gone = {n % len(lines[0]) for n in axes or ()} if leaf.dim() < len(lines[0]) else ()
                self._keep(leaf, [[varies for n, varies in enumerate(line) if n not in gone] for line in lines])
            return is_sum
        if operation.is_view:
            self._keep_views(operation, args, kwargs, outs)
        elif name in LINEAR:
            self._keep(outs[0], self._lines(products, outs[0].dim()))
        elif name in MOVING | ORDERING:
            for leaf in outs:
                self._keep(leaf)
        elif operation._schema.is_mutable:
            self.clear(args[0])
        if name in LINEAR or name in MOVING:
            self._note_memory(operation, outs[0])
        return False

    def _note_memory(self, operation, target):
        """Note where products were written, which may be a part of a bigger tensor."""
        if operation._schema.is_mutable:
            self.memories[memory_of(target)] = target

    def _varies_along(self, tensor, axes) -> bool:
        varies = _varies(self._what_varies(tensor), tensor.dim())
        return any(varies if axes is None else [varies[n] for n in axes if -len(varies) <= n < len(varies)])

    def _keep_views(self, operation, args, kwargs, outs):
        try:
            views = _tensors(operation(self._what_varies(args[0]), *args[1:], **kwargs))
        except Exception:  # this view needs other strides
            views = [None] * len(outs)
        for leaf, view in zip(outs, views):
            self._keep(leaf, view=view)

    def _follow_several(self, name, args, out):
        """Follow an operation on lists of tensors, which returns a list or changes its first one."""
        lists = [args[n] for n in FACTORS.get(name, ()) if n < len(args) and isinstance(args[n], list | tuple)]
        for n, leaf in enumerate(args[0] if out is None else out):
            factors = [one[n] for one in lists if isinstance(one[n], Tensor) and one[n].dim()]
            if len(factors) == 2:
                self.mark(leaf, *factors)
            elif any(one in self for one in _tensors(args)):
                self._keep(leaf)
        return False


def _tensors(tree):
    return [leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)]


def _varies(tensor, axes):
    """Say for each of so many axes, counted from the last, whether a tensor has several numbers there."""
    lead = axes - tensor.dim()
    return [False] * lead + [n > 1 and step > 0 for n, step in zip(tensor.shape, tensor.stride())]


def _accumulates(args, kwargs):
    return any(flag is True for flag in (*args[3:4], kwargs.get("accumulate")))


def _summed_axes(name, args, kwargs):
    """Return the axes that an operation sums along; None if it may be all of them."""
    if name == "col2im":
        return None
    if "pool" in name:
        return range(-int(name[-2]), 0)
    axes = kwargs.get("dim", args[1] if len(args) > 1 else None)
    axes = [axes] if isinstance(axes, int) else axes
    return axes if isinstance(axes, list | tuple) and axes and all(isinstance(n, int) for n in axes) else None
