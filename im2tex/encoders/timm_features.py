"""Any feature extractor of timm, by name: https://github.com/huggingface/pytorch-image-models.

The network is cut behind its last feature map of the chosen stride, and its maps are projected to
the width. It reads one channel, ink of 1 on paper of 0 as everywhere here: of a network pretrained
on photographs, timm adds up the first convolution's weights for the three colours, and nothing is
shifted to the mean of photographs, so that padding stays zero.

Its layers know nothing of masks, so the mask is put before each of them: before every convolution
and pool that looks beyond one cell, padding is made zero, which is what a convolution takes to lie
beyond a border. So a network made of these and of what acts on a cell alone (ResNet, ConvNeXt, ...)
reads an image as if it were alone. Others mix cells in ways of their own: squeeze-and-excitation
(EfficientNet) and global attention look at all of a batch's height and width, windowed attention
(Swin) across an image's edge, PoolFormer counts the cells that it averages. There an image's cells
depend on its padding; untrained, and with as much padding as image, by less than a tenth of their
length in timm's `test_efficientnet` and less than three tenths in its `test_vit`, as the tests
ensure. In batches of images of one size they do not.
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

SPATIAL_LAYERS = (nn.Conv2d, nn.AvgPool2d, nn.MaxPool2d)
"""Layers that look beyond one cell, if their kernel is larger."""

_USUAL_OUT_INDEX = {32: -1, 16: -2, 8: -3, 4: -4, 2: -5}
"""By stride, where most networks have their last map of it, from behind."""


@ENCODERS.register("timm")
class TimmFeatures(Encoder):
    """Any network of timm that has feature maps, by its `model` name.

    Args:
        model: its name, such as `resnet18`, `convnext_tiny` or `resnet18.a1_in1k`;
            `timm.list_models("*resnet*")` lists them.
        stride: pixels of a cell, one that the network has a feature map of.
        width: D, of a 1x1 projection. 0 leaves it out: D is then the number of maps.
        pretrained: start from timm's weights, downloaded at first use. Those of a checkpoint
            take their place, so that reading a checkpoint needs no network.
        positions: `sinusoidal` adds where a cell is, see `positions`.
        model_args: further arguments for timm's model, such as `drop_path_rate: 0.1`.

    Raises:
        ValueError: if there is no such network, it has no feature map of that stride, it cannot
            read pictures of any size, or it has no pretrained weights.
    """

    def __init__(
        self,
        model: str = "resnet18",
        stride: int = 16,
        width: int = 256,
        pretrained: bool = False,
        positions: PositionKind = "none",
        model_args: dict[str, Any] | None = None,
    ) -> None:
        super().__init__()
        if width < 0:
            raise ValueError(f"width is at least 0; got {width}")
        self.network, arguments = _cut(model, stride, model_args or {})
        # What could not be downloaded is not yet missed: a checkpoint's weights may be on their
        # way, and need none of it.
        self._missing = ""
        if pretrained:
            self.network, self._missing = _pretrained(self.network, model, arguments)
        self.register_load_state_dict_pre_hook(_found)  # type: ignore[no-untyped-call]
        self._mask: Tensor | None = None
        for layer in self.network.modules():
            if isinstance(layer, SPATIAL_LAYERS) and layer.kernel_size not in (1, (1, 1)):
                layer.register_forward_pre_hook(self._blank)
        maps = self.network.feature_info.channels()[-1]
        self._channels_last = getattr(self.network, "output_fmt", "NCHW") == "NHWC"
        self.stride = (stride, stride)
        self._try(model, maps)
        self.project = nn.Conv2d(maps, width, 1) if width else None
        self.width = width or maps
        self.positions = PositionalEncoding2d(positions, self.width)
        use_running_stats_for_single_values(self)

    def forward(self, images: Tensor, mask: Tensor) -> Grid:
        """See `Encoder.forward`; some networks' cells depend on padding (see the module).

        Raises:
            Im2TexError: if pretrained weights were asked for, and neither they nor those of a
                checkpoint could be loaded.
        """
        if self._missing:
            raise Im2TexError(self._missing)
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

    def _blank(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...] | None:
        """Makes a layer's input (B, C, h, w) zero where there is no image."""
        if self._mask is None:
            return None
        features, *more = inputs
        sizes = zip(self._mask.shape[1:], features.shape[2:], strict=True)
        (down, rest), (right, more_rest) = (divmod(pixels, cells) for pixels, cells in sizes)
        if rest or more_rest:  # behind the cut, where sizes need not divide
            return None
        return features * self._mask[:, ::down, ::right].unsqueeze(1), *more

    @torch.enable_grad()
    def _try(self, model: str, maps: int) -> None:
        """Reads blank pictures of two sizes, which a network of one fixed size cannot.

        Some networks keep their layers behind the cut: these are set not to learn, so that
        training on several devices does not wait for their gradients.
        """
        self.network.eval()
        for h, w in ((2, 3), (4, 2)):
            shape = (1, 1, h * self.stride[0], w * self.stride[1])
            try:
                features = self._maps(torch.zeros(shape))
            except (AssertionError, RuntimeError, ValueError) as error:
                problem = f"it fails with: {_line(error)}"
            else:
                if tuple(features.shape) == (1, maps, h, w):
                    continue
                problem = f"it makes maps of {tuple(features.shape[2:])} cells"
            raise ValueError(
                f"'{model}' cannot read pictures of any size: from one of {shape[2]} x {shape[3]} "
                f"pixels {problem}. Take a convolutional network such as resnet18, or, for a "
                "transformer, try model_args: {dynamic_img_size: true} or "
                "{strict_img_size: false}"
            )
        learning = [one for one in self.network.parameters() if one.requires_grad]
        gradients = torch.autograd.grad(features.sum(), learning, allow_unused=True)
        for parameter, gradient in zip(learning, gradients, strict=True):
            parameter.requires_grad_(gradient is not None)
        self.network.train()


def _cut(model: str, stride: int, model_args: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    """A network that gives its last feature map of the stride.

    Where that map lies, only a network that is built can tell: so it is built with the map where
    most have it, and anew if it lies elsewhere.

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
        network = _built(model, arguments)
    except ValueError:  # it has fewer maps; or it cannot be built at all, which is said here
        network, arguments = _built(model, model_args), {}
    info = network.feature_info
    strides = info.reduction(list(range(len(info.info))))
    if stride not in strides:
        offered = ", ".join(str(known) for known in sorted(set(strides)))
        raise ValueError(f"'{model}' has feature maps of stride {offered}; got stride {stride}")
    behind = strides[::-1].index(stride) + 1
    if arguments.get("out_indices") == (-behind,):
        return network, arguments
    arguments = {**model_args, "out_indices": (len(strides) - behind,)}
    return _built(model, arguments), arguments


def _built(model: str, arguments: dict[str, Any]) -> Any:
    """A network that gives feature maps, untrained.

    Raises:
        ValueError: if timm cannot build it so.
    """
    import timm  # noqa: PLC0415

    try:
        return timm.create_model(model, features_only=True, in_chans=1, **arguments)
    except (
        AssertionError,
        AttributeError,
        LookupError,
        RuntimeError,
        TypeError,
        ValueError,
    ) as error:
        raise ValueError(f"timm cannot build '{model}': {_line(error)}") from error


def _pretrained(network: Any, model: str, arguments: dict[str, Any]) -> tuple[Any, str]:
    """The network with timm's weights, downloaded into its cache.

    Args:
        network: the untrained one.
        model: its name.
        arguments: what timm builds it with.

    Returns:
        It, and nothing; or the untrained one, and what went wrong and the way out.

    Raises:
        ValueError: if there are no such weights anywhere.
    """
    import timm  # noqa: PLC0415

    settings = timm.get_pretrained_cfg(model)
    if settings is None or not settings.has_weights:
        raise ValueError(f"timm has no pretrained weights of '{model}'; set pretrained: false")
    try:
        trained = timm.create_model(
            model, pretrained=True, features_only=True, in_chans=1, **arguments
        )
    except Exception as error:  # of a network, a disk, a hub: they have no class in common
        return network, (
            f"encoder 'timm': the pretrained weights of '{model}' cannot be loaded "
            f"({type(error).__name__}: {_line(error)}). Connect to the network once, so that they "
            "are kept in the cache that HF_HOME names, or set "
            "model.encoder_args.pretrained to false."
        )
    return trained, ""


def _found(encoder: TimmFeatures, *_: Any) -> None:
    """Weights are being loaded: those that could not be downloaded are not missed."""
    encoder._missing = ""


def _line(error: BaseException) -> str:
    """The first line of an error's message, or its class."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
