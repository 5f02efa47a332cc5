"""Between `torch.nn` layers and `ConvSpec`."""

from __future__ import annotations

from torch import nn

from convlab.shape import check_spec
from convlab.spec import ConvSpec


def spec_from_module(module: nn.Module) -> ConvSpec:
    """Return the spec of an `nn.Conv2d` or an `nn.Linear`.

    Raises:
        TypeError: any other object; a layer with other arithmetic must not be counted as a convolution.
        ValueError: a padding mode other than zeros, or a lazy layer that has not seen an input yet.

    >>> spec_from_module(nn.Conv2d(8, 6, 1, groups=2)).weight_shape  # M, C/g, K, K
    (6, 4, 1, 1)
    """
    if isinstance(module, nn.modules.lazy.LazyModuleMixin) and module.has_uninitialized_params():
        raise ValueError(f"{module!r} does not know its channels yet; run one input through it first")
    if isinstance(module, nn.Linear):
        return ConvSpec.linear(module.in_features, module.out_features, bias=module.bias is not None)
    if not isinstance(module, nn.Conv2d):
        raise TypeError(f"{module!r} is a {type(module).__name__}; wanted an nn.Conv2d or an nn.Linear")
    if module.padding_mode != "zeros":
        raise ValueError(f"padding_mode={module.padding_mode!r}; wanted 'zeros', the only padding a ConvSpec describes")
    return ConvSpec(
        module.in_channels,
        module.out_channels,
        module.kernel_size,
        module.stride,
        module.padding,
        module.dilation,
        module.groups,
        module.bias is not None,
    )


def to_module(spec: ConvSpec) -> nn.Conv2d:
    """Return the `nn.Conv2d` that `spec` describes, with PyTorch's fresh random weights.

    Raises:
        TypeError: `spec` is no ConvSpec.

    >>> to_module(ConvSpec(3, 6, 11, stride=4)).weight.shape
    torch.Size([6, 3, 11, 11])
    """
    return nn.Conv2d(**vars(check_spec(spec)))
