"""The paper's sizes, counted by hand, against the model of the defaults."""

from im2tex import Im2Tex


def convolution(inputs, outputs, normed):
    # A 3x3 kernel an output, a bias; batch normalisation has a scale and a shift.
    return 9 * inputs * outputs + outputs + (2 * outputs if normed else 0)


def lstm(inputs, width):
    # Four gates, each with weights of the input and of the state, and PyTorch's two biases.
    return 4 * (width * inputs + width * width + 2 * width)


def test_paper_model_has_9_48_million_parameters():
    convolutions = [
        convolution(1, 64, False),  # 640
        convolution(64, 128, False),  # 73,856
        convolution(128, 256, True),  # 295,680
        convolution(256, 256, False),  # 590,080
        convolution(256, 512, True),  # 1,181,184
        convolution(512, 512, True),  # 2,360,832
    ]
    assert sum(convolutions) == 4_502_272
    # One bidirectional LSTM of 256 a direction, and 20 rows' initial states: h and c, two ways.
    directions, row_embedding = 2 * lstm(512, 256), 20 * 2 * 2 * 256
    assert directions == 1_576_960
    assert row_embedding == 20_480
    # The decoder's LSTM takes an embedding of 80 and the previous output of 512.
    decoder = lstm(80 + 512, 512)
    assert decoder == 2_265_088
    bilinear, combine = 512 * 512, (512 + 512) * 512  # both without a bias
    a_token = 80 + 512 + 1  # its embedding, its row of the softmax and the bias of that
    fixed = sum(convolutions) + directions + row_embedding + decoder + bilinear + combine
    assert fixed == 9_151_232
    assert a_token == 593
    expected = fixed + 555 * a_token
    assert expected == 9_480_347  # 9.48 M

    model = Im2Tex(vocabulary=[f"token{k}" for k in range(555 - 4)])  # and four special ones
    assert len(model.recognizer.require_vocabulary()) == 555
    encoder, attention = model.recognizer.encoder, model.recognizer.require_decoder().attention

    def count(part):
        return sum(parameter.numel() for parameter in part.parameters())

    assert [count(one) for one in encoder.convolutions] == convolutions
    assert (
        count(encoder.row_encoder.forward_lstm) + count(encoder.row_encoder.backward_lstm)
        == directions
    )
    assert encoder.row_encoder.row_embedding.numel() == row_embedding
    assert count(model.recognizer.require_decoder().cell) == decoder
    assert count(attention) == bilinear
    assert count(model.recognizer.require_decoder().combine) == combine
    assert (
        count(model.recognizer.require_decoder().embedding)
        + count(model.recognizer.require_decoder().output)
        == 555 * a_token
    )
    assert count(model) == expected


def test_coarse_to_fine_models_have_15_80_and_16_06_million_parameters():
    standard = 9_151_232 + 555 * 593  # as counted above
    # Two convolutions with batch normalisation, a row encoder and 20 rows' initial states.
    branch = 2 * convolution(512, 512, True) + 2 * lstm(512, 256) + 20 * 2 * 2 * 256
    assert branch == 6_319_104
    assert standard + branch == 15_799_451  # 15.80 M; the paper says 15.85 M
    assert standard + branch + 512 * 512 == 16_061_595  # 16.06 M

    def count(attention, **arguments):
        model = Im2Tex(
            vocabulary=[f"token{k}" for k in range(555 - 4)],
            encoder_args={"coarse": True},
            attention=attention,
            attention_args=arguments,
        )
        return sum(parameter.numel() for parameter in model.parameters())

    for attention in ("hierarchical", "sparsemax", "hard"):
        assert count(attention, share_projection=True) == 15_799_451
        assert count(attention) == 16_061_595
    assert count("coarse_only") == 15_799_451
