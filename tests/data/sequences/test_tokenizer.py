"""Sequences to tokens, and that padding reaches no logit, whichever model reads them."""

from typing import Any

import pytest
import torch
from torch import Tensor

from nacbench.data.sequences.task import trim
from nacbench.data.sequences.tokenizer import StridedConv, SymbolTokenizer
from nacbench.nn.network import build_network
from nacbench.nn.positions import fourier_features, sinusoids
from nacbench.registry import MODELS, TASKS

TAKES_SEQUENCES = ("nac", "perceiver-io", "transformer")


def sequences(lengths: list[int], width: int) -> Tensor:
    """Random symbols from 1, padded with 0."""
    torch.manual_seed(0)
    symbols = torch.randint(1, 11, (len(lengths), width))
    return symbols * (torch.arange(width) < torch.tensor(lengths)[:, None])


@pytest.mark.parametrize("stride", [1, 2, 4])
def test_token_covers_stride_symbols(stride: int) -> None:
    tokenizer = SymbolTokenizer(16, 6, 4, max_length=30, stride=stride)
    tokens, mask, *_ = tokenizer(sequences([30, 11, 1], 30))
    assert tokens.shape == (3, -(-30 // stride), 16)
    assert mask is not None
    assert mask.sum(1).tolist() == [-(-length // stride) for length in (30, 11, 1)]


@pytest.mark.parametrize("stride", [1, 2, 5])
@pytest.mark.parametrize("tokens", [0, 1, 6])
def test_the_product_with_windows_is_a_convolution(stride: int, tokens: int) -> None:
    layer = StridedConv(3, 4, stride).double()
    symbols = stride * (tokens + (1 if stride > 1 else 0))
    x = torch.randn(2, symbols, 3, dtype=torch.float64, requires_grad=True)
    if tokens:
        expected = torch.nn.Conv1d.forward(layer, x.transpose(1, 2)).transpose(1, 2)
        torch.testing.assert_close(layer(x), expected)
        assert torch.autograd.gradcheck(layer, x)
    else:
        assert layer(x).shape == (2, 0, 4)


def test_lengths_are_compiled_at_most_twice() -> None:
    """Once for the first length, once for any other; each of these would make a convolution compile again."""
    from torch._inductor.compile_fx import compile_fx

    compiled: list[int] = []

    def counted(graph: torch.fx.GraphModule, inputs: list[Tensor]) -> Any:
        compiled.append(len(inputs))
        return compile_fx(graph, inputs)

    tokenizer = SymbolTokenizer(16, 4, 4, max_length=64, stride=2)
    code = torch.compile(tokenizer, backend=counted)
    for length in (40, 33, 21, 12):
        symbols = sequences([length, 7], length)
        tokens = code(symbols).tokens
        tokens.sum().backward()
        torch.testing.assert_close(tokens, tokenizer(symbols).tokens)
    assert len(compiled) <= 2


@pytest.mark.parametrize("stride", [1, 4])
def test_tokens_are_invariant_to_padding(stride: int) -> None:
    tokenizer = SymbolTokenizer(16, 6, 4, max_length=64, stride=stride)
    symbols = sequences([23, 7], 23)
    tight = tokenizer(symbols)
    loose = tokenizer(torch.nn.functional.pad(symbols, (0, 41)))
    kept = tight.tokens.shape[1]
    torch.testing.assert_close(loose.tokens[:, :kept][tight.mask], tight.tokens[tight.mask])
    assert torch.equal(loose.mask[:, :kept], tight.mask)
    assert not loose.mask[:, kept:].any()


@pytest.mark.parametrize("stride", [1, 8])
@pytest.mark.parametrize("name", TAKES_SEQUENCES)
def test_logits_are_invariant_to_padding(name: str, stride: int) -> None:
    """From bytes to logits, through the whole network: alone, and beside a longer text."""
    task = TASKS.training("imdb-bytes").configured("task", "smoke", {"stride": stride, "max_bytes": 96})
    net = build_network(task, task.spec(), MODELS.get(name).configured("model", "tiny", {}), seed=0).eval()
    texts = sequences([90, 33, 5], 90)
    with torch.no_grad():
        together = net(symbols=texts)
        for row, length in enumerate((90, 33, 5)):
            alone = net(symbols=texts[row : row + 1, :length])
            torch.testing.assert_close(alone, together[row : row + 1], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("name", TAKES_SEQUENCES)
def test_logits_depend_on_symbols(name: str) -> None:
    task = TASKS.training("imdb-bytes").configured("task", "smoke", {"max_bytes": 96})
    net = build_network(task, task.spec(), MODELS.get(name).configured("model", "tiny", {}), seed=0).eval()
    text = sequences([90], 90)
    changed = text.clone()
    changed[0, 88] = 200
    with torch.no_grad():
        assert not torch.allclose(net(symbols=text), net(symbols=changed), atol=1e-6)


def test_trim_keeps_every_symbol_and_at_least_one_column() -> None:
    symbols = sequences([3, 7], 20).to(torch.uint8)
    assert torch.equal(trim(symbols), symbols[:, :7].long())
    assert trim(torch.zeros(2, 9, dtype=torch.uint8)).shape == (2, 1)


def test_sinusoids_have_the_transformer_s_frequencies() -> None:
    features = sinusoids(50, 6)
    position = torch.arange(50.0)
    for channel, rate in enumerate((1.0, 0.01, 0.0001)):
        torch.testing.assert_close(features[:, channel], (position * rate).sin())
        torch.testing.assert_close(features[:, 3 + channel], (position * rate).cos())


def test_fourier_features_equal_the_formula() -> None:
    x = torch.tensor([[0.5, -0.25]], dtype=torch.float64)
    features = fourier_features(x, bands=3, highest=10).view(2, 7)
    for row, value in enumerate((0.5, -0.25)):
        angles = torch.pi * value * torch.tensor([1.0, 3.0, 5.0], dtype=torch.float64)
        expected = torch.cat([torch.tensor([value], dtype=torch.float64), angles.sin(), angles.cos()])
        torch.testing.assert_close(features[row], expected)
