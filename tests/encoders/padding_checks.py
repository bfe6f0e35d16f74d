"""What every encoder is asked: batches with padding, gradients, a checkpoint."""

import lightning
import torch
from torch import nn

from im2tex.grid import size_mask
from im2tex.training.module import Im2Tex

TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4}


def settled(model, dtype=torch.float64):
    """With shifts and statistics that training may leave, so that padding is not zero by luck."""
    generator = torch.Generator().manual_seed(0)
    for layer in model.modules():
        if isinstance(layer, nn.BatchNorm2d):
            for value, low, high in (
                (layer.weight, 0.5, 1.5),
                (layer.bias, -0.5, 0.5),
                (layer.running_mean, -0.5, 0.5),
                (layer.running_var, 0.5, 2.0),
            ):
                nn.init.uniform_(value, low, high, generator=generator)
    return model.to(dtype).eval()


def batch_of(images, height, width, padding=0.0):
    """Images in the top left corners of a batch, with something in the padding, and the mask."""
    batch = torch.full((len(images), 1, height, width), padding, dtype=images[0].dtype)
    for row, image in enumerate(images):
        batch[row, 0, : image.shape[0], : image.shape[1]] = image
    return batch, size_mask(torch.tensor([image.shape for image in images]), height, width)


def assert_alone_as_in_a_batch(model, dtype=torch.float64):
    """Three images of as many sizes, in a batch larger than each of them."""
    down, right = model.stride
    sizes = [(down, 5 * right), (4 * down, 2 * right), (2 * down, right)]
    images = [torch.rand(size, dtype=dtype) for size in sizes]
    with torch.no_grad():
        together = model(*batch_of(images, 5 * down, 6 * right, padding=0.7))
        assert together.features.shape == (3, 5, 6, model.width)
        assert together.stride == model.stride
        for row, (image, size) in enumerate(zip(images, sizes, strict=True)):
            h, w = size[0] // down, size[1] // right
            alone = model(*batch_of([image], *size)).features[0]
            assert alone.shape == (h, w, model.width)
            assert alone.abs().max() > 1e-3
            found = together.features[row, :h, :w]
            torch.testing.assert_close(found, alone, rtol=0, atol=TOLERANCE[dtype])
            assert together.mask[row, :h, :w].all()
            assert together.mask[row].sum() == h * w
    assert (together.features[~together.mask] == 0).all()


def assert_cells_alone_as_in_a_batch(encode, images, height, width, cell):
    """A grid's cells of `cell` pixels each way, rounded up, in a batch of that height and width."""
    dtype = images[0].dtype
    with torch.no_grad():
        together = encode(*batch_of(images, height, width, padding=0.7))
        for row, image in enumerate(images):
            alone = encode(*batch_of([image], *image.shape))
            h, w = -(-image.shape[0] // cell), -(-image.shape[1] // cell)
            assert alone.features.shape[1:3] == (h, w)
            found = together.features[row, :h, :w]
            torch.testing.assert_close(found, alone.features[0], rtol=0, atol=TOLERANCE[dtype])
            assert together.mask[row].nonzero().tolist() == [
                [i, j] for i in range(h) for j in range(w)
            ]
    assert (together.features[~together.mask] == 0).all()


def assert_every_parameter_learns(model):
    """In training, from two images, one of them padded."""
    down, right = model.stride
    images = [torch.rand(2 * down, 3 * right), torch.rand(down, 2 * right)]
    # Settled: timm starts residual branches at a scale of zero, behind which nothing learns yet.
    model = settled(model, torch.float32).train()
    features = model(*batch_of(images, 2 * down, 3 * right)).features
    (features * torch.randn_like(features)).sum().backward()
    for name, parameter in model.named_parameters():
        if parameter.requires_grad:
            assert parameter.grad is not None, name
            assert parameter.grad.isfinite().all(), name
            assert parameter.grad.abs().max() > 0, name


def restored(path, name, **arguments):
    """A model with the encoder, and the same one from its checkpoint, both in eval mode."""
    model = Im2Tex(
        vocabulary=["x", "+", "1"],
        encoder=name,
        encoder_args=arguments,
        decoder_args={"hidden_size": 8, "embedding_dim": 4},
    )
    settled(model.recognizer.encoder, torch.float32)
    content = {
        "state_dict": model.state_dict(),
        "hyper_parameters": dict(model.hparams),
        "pytorch-lightning_version": lightning.__version__,
    }
    model.on_save_checkpoint(content)
    torch.save(content, path)
    return model.eval(), Im2Tex.load_from_checkpoint(path).eval()


def assert_a_checkpoint_restores_it(path, name, **arguments):
    """The same readings of the same picture, by settings and weights from the file alone."""
    model, other = restored(path, name, **arguments)
    assert type(other.recognizer.encoder) is type(model.recognizer.encoder)
    assert other.preprocessing.stride == model.recognizer.encoder.stride
    picture = torch.zeros(40, 60, dtype=torch.uint8).numpy()
    picture[10:30, 10:14] = picture[18:22, 10:50] = 255
    one, two = (each.transcribe(picture, max_length=4) for each in (model, other))
    assert one == two
