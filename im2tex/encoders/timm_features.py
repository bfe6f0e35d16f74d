"""Any feature extractor of timm, by name: https://github.com/huggingface/pytorch-image-models.

The network is cut after its last feature map of the chosen stride, and the maps are projected to D.
It reads one channel, ink of 1 on paper of 0: timm sums the weights of a pretrained first
convolution over the three colours; the input is not shifted to the mean of photographs, so that
padding stays zero.

timm's layers know no masks, so the input of each convolution and pool with a kernel larger than 1
is masked. The features of networks that consist of these layers and of pointwise ones (ResNet,
ConvNeXt, ...) then do not depend on padding. Other layers mix cells in other ways:
squeeze-and-excitation (EfficientNet) and global attention over the whole padded map, windowed
attention (Swin) across an image's edge, PoolFormer by counting cells. With these an image's
features depend on its padding: untrained, and with as much padding as image, by less than 0.1 of
their norm in timm's `test_efficientnet` and less than 0.3 in its `test_vit`, as the tests assert.
In batches of images of one size they do not.
"""

from __future__ import annotations

import difflib
from typing import Any

import torch
from torch import Tensor, nn

from im2tex.encoders.base import ENCODERS, Encoder
from im2tex.encoders.positional_encoding import PositionalEncoding2d, PositionKind
from im2tex.encoders.single_cell_batch_norm import use_running_stats_for_single_values
from im2tex.errors import Im2TexError
from im2tex.grid import Grid
from im2tex.utils.checks import check_at_least

SPATIAL_LAYERS = (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d)
"""Layers that combine neighbouring cells, if their kernel is larger than 1."""

_USUAL_OUT_INDEX = {32: -1, 16: -2, 8: -3, 4: -4, 2: -5}
"""By stride: the index, from the end, of the last map of that stride in most networks."""


@ENCODERS.register("timm")
class TimmFeatures(Encoder):
    """Any network of timm that has feature maps, by its `model` name.

    Args:
        model: its name, such as `resnet18`, `convnext_tiny` or `resnet18.a1_in1k`;
            `timm.list_models("*resnet*")` lists them.
        stride: pixels of a cell; the network must have a feature map of this stride.
        out_channels: D, of a 1x1 projection. 0 for none: D is then the number of maps.
        pretrained: start from timm's weights, downloaded at first use. A checkpoint's weights
            replace them, so that loading a checkpoint needs no network access.
        positions: `sinusoidal` adds `PositionalEncoding2d`.
        model_args: further arguments for timm's model, such as `drop_path_rate: 0.1`.

    Raises:
        ValueError: if there is no such network, it has no feature map of that stride, it does not
            accept images of any size, or it has no pretrained weights.
    """

    def __init__(
        self,
        model: str = "resnet18",
        stride: int = 16,
        out_channels: int = 256,
        pretrained: bool = False,
        positions: PositionKind = "none",
        model_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        check_at_least(0, out_channels=out_channels)
        self.network, arguments = _truncated_network(model, stride, model_args or {})
        # A failed download is an error only if no checkpoint's weights are loaded afterwards.
        self._download_error = ""
        if pretrained:
            self.network, self._download_error = _pretrained(self.network, model, arguments)
        self.register_load_state_dict_pre_hook(_clear_download_error)  # type: ignore[no-untyped-call]
        self._mask: Tensor | None = None
        for layer in self.network.modules():
            if isinstance(layer, SPATIAL_LAYERS) and layer.kernel_size not in (1, (1, 1)):
                layer.register_forward_pre_hook(self._mask_input)
        maps = self.network.feature_info.channels()[-1]
        self._channels_last = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
        self.stride = (stride, stride)
        self._check_sizes_and_freeze_unused(model, maps)
        self.project = nn.Conv2d(maps, out_channels, 1) if out_channels else None
        self.width = out_channels or maps
        self.positions = PositionalEncoding2d(positions, self.width)
        use_running_stats_for_single_values(self)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`; the cells of some networks depend on padding (see the module).

        Raises:
            Im2TexError: if the pretrained weights could not be downloaded and no checkpoint was
                loaded.
        """
        if self._download_error:
            raise Im2TexError(self._download_error)
        self._mask = None if mask.all() else mask
        features = self._maps(images * mask.unsqueeze(1))
        self._mask = None
        if self.project is not None:
            features = self.project(features)
        mask = mask[:, :: self.stride[0], :: self.stride[1]]
        features = self.positions(features.permute(0, 2, 3, 1), mask)  # -> (B, h, w, D)
        return Grid(features * mask.unsqueeze(3), mask, self.stride)

    def _maps(self, images: Tensor) -> Tensor:
        """The network's maps, (B, C, h, w)."""
        features: Tensor = self.network(images)[0]
        return features.permute(0, 3, 1, 2) if self._channels_last else features

    def _mask_input(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Sets a layer's input (B, C, h, w) to zero outside the image."""
        if self._mask is None:
            return None
        features, *more = inputs
        sizes = zip(self._mask.shape[1:], features.shape[2:], strict=True)
        (down, rest), (right, more_rest) = (divmod(pixels, cells) for pixels, cells in sizes)
        if rest or more_rest:  # a layer after the cut, where sizes need not be divisible
            return None
        return features * self._mask[:, ::down, ::right].unsqueeze(1), *more

    @torch.enable_grad()
    def _check_sizes_and_freeze_unused(self, model: str, maps: int) -> None:
        """Runs the network on blank images of two sizes, and freezes parameters without gradient.

        A network for one fixed size fails here. Some networks keep the layers after the cut, whose
        gradients training on several devices would wait for.
        """
        self.network.eval()
        for h, w in ((2, 3), (4, 2)):
            shape = (1, 1, h * self.stride[0], w * self.stride[1])
            try:
                features = self._maps(torch.zeros(shape))
            except (AssertionError, RuntimeError, ValueError) as error:
                problem = f"it fails with: {_first_line(error)}"
            else:
                if tuple(features.shape) == (1, maps, h, w):
                    continue
                problem = f"it makes maps of {tuple(features.shape[2:])} cells"
            raise ValueError(
                f"'{model}' does not accept images of any size: from one of {shape[2]} x "
                f"{shape[3]} pixels {problem}. Take a convolutional network such as resnet18, or, "
                "for a transformer, try model_args: {dynamic_img_size: true} or "
                "{strict_img_size: false}"
            )
        parameters = [
            parameter for parameter in self.network.parameters() if parameter.requires_grad
        ]
        gradients = torch.autograd.grad(features.sum(), parameters, allow_unused=True)
        for parameter, gradient in zip(parameters, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)
        self.network.train()


def _truncated_network(
    model: str, stride: int, model_args: dict[str, Any]
) -> tuple[Any, dict[str, Any]]:
    """A network that ends with its last feature map of the stride.

    Only a network that is built reports the strides of its maps: it is built with the map at its
    usual index, and again if the map has another index.

    Returns:
        The network, and the arguments that timm builds it with.

    Raises:
        ValueError: if there is no such network or map, or timm cannot build it.
    """
    import timm  # noqa: PLC0415 - takes seconds

    if not timm.is_model(model):
        near = difflib.get_close_matches(model.partition(".")[0], timm.list_models(), n=3)
        raise ValueError(
            f"timm {timm.__version__} has no model '{model}'"
            + (f"; did you mean {' or '.join(repr(name) for name in near)}?" if near else ".")
            + " List some by `python -c \"import timm; print(timm.list_models('*resnet*'))\"`"
        )
    arguments = {**model_args, "out_indices": (_USUAL_OUT_INDEX.get(stride, -1),)}
    try:
        network = _build(model, arguments)
    except ValueError:  # it has fewer maps; or it cannot be built at all, which is raised here
        network, arguments = _build(model, model_args), {}
    info = network.feature_info
    strides = info.reduction(list(range(len(info.info))))
    if stride not in strides:
        offered = ", ".join(str(known) for known in sorted(set(strides)))
        raise ValueError(f"'{model}' has feature maps of stride {offered}; got stride {stride}")
    last = len(strides) - 1 - strides[::-1].index(stride)
    if arguments.get("out_indices") == (last - len(strides),):
        return network, arguments
    arguments = {**model_args, "out_indices": (last,)}
    return _build(model, arguments), arguments


def _build(model: str, arguments: dict[str, Any], pretrained: bool = False) -> Any:
    """A network of timm that returns feature maps.

    Raises:
        ValueError: if timm cannot build it, or cannot load its weights.
    """
    import timm  # noqa: PLC0415

    try:
        return timm.create_model(
            model, pretrained=pretrained, features_only=True, in_chans=1, **arguments
        )
    except Exception as error:  # networks, disks and hubs raise unrelated classes
        raise ValueError(f"timm cannot build '{model}': {_first_line(error)}") from error


def _pretrained(network: Any, model: str, arguments: dict[str, Any]) -> tuple[Any, str]:
    """The network with timm's weights, downloaded into its cache.

    Args:
        network: the untrained one.
        model: its name.
        arguments: what timm builds it with.

    Returns:
        The trained network and ""; or the untrained one and an error message.

    Raises:
        ValueError: if there are no such weights anywhere.
    """
    import timm  # noqa: PLC0415

    settings = timm.get_pretrained_cfg(model)
    if settings is None or not settings.has_weights:
        raise ValueError(f"timm has no pretrained weights of '{model}'; set pretrained: false")
    try:
        return _build(model, arguments, pretrained=True), ""
    except ValueError as error:
        cause = error.__cause__ or error
        return network, (
            f"encoder 'timm': the pretrained weights of '{model}' cannot be loaded "
            f"({type(cause).__name__}: {_first_line(cause)}). Connect to the network once, so that "
            "they are kept in the cache that HF_HOME names, or set "
            "model.encoder_args.pretrained to false."
        )


def _clear_download_error(encoder: TimmFeatures, *_: Any) -> None:
    encoder._download_error = ""


def _first_line(error: BaseException) -> str:
    """The first line of an error's message, or its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
