"""FLOPs of a circuit's forward pass as a closed formula, which tests compare with ``nacbench.profiling``'s counter."""

from __future__ import annotations

from typing import TYPE_CHECKING

from nacbench.contracts.model import Operations, product

if TYPE_CHECKING:
    from nacbench.contracts.spec import TaskSpec
    from nacbench.nac.options import CircuitOptions


def circuit_operations(model: CircuitOptions, spec: TaskSpec, tokens: int, words: int = 0) -> Operations:
    """Return the FLOPs of the matrix products of a forward pass in evaluation mode (``expected``).

    A multiply-add counts as two. Work that depends on the codes alone is done once per pass, or once per example if
    every example has a circuit of its own.

    Args:
        model: sizes of the circuit.
        spec: token width T, condition and number of classes.
        tokens: V.
        words: W, number of tokens of the condition; 0 without a condition.
    """
    states = _read_in(model, spec, tokens) + model.depth * _propagator(model) + _readout(model, spec)
    gains, links, queries = _gains(model, spec), _links(model), _queries(model, spec)
    if spec.condition_tokens:
        once_each = gains + links + queries
        return Operations(example=states + once_each + _generator(model, spec, words), once=0)
    # Gradients of constant codes and signatures are not computed: of gains one factor has none, of links both have none
    raw_once = gains + 2 * links if model.frozen else 0
    return Operations(example=states, once=gains + links + queries, raw_once=raw_once)


def _gains(model: CircuitOptions, spec: TaskSpec) -> int:
    """Count the projections of codes, which give the gains of all layers."""
    if not model.modulated:
        return 0
    u, r, c, d = model.modules, model.readout_modules, model.state_dim, model.head_dim
    width, hidden, token = model.heads * d, model.ffn_mult * c, spec.token_dim
    read_in = product(u, c, c + 2 * token + d) + product(u, c, c + hidden)
    propagator = product(u, c, 3 * c + width) + product(u, c, c + hidden)
    readout = product(r, c, c + d) + product(u, c, 2 * c) + product(r, c, c + hidden)
    return read_in + model.depth * propagator + readout


def _links(model: CircuitOptions) -> int:
    """Count the cosines of signatures."""
    if model.graph == "complete":
        return 0
    u, r = model.modules, model.readout_modules
    return product(u, model.signature_dim, u) + product(r, model.signature_dim, u)


def _queries(model: CircuitOptions, spec: TaskSpec) -> int:
    """Count the queries of initial states, which are codes."""
    u, r, c, d = model.modules, model.readout_modules, model.state_dim, model.head_dim
    return product(u, c, d) + product(u, d, spec.token_dim) + product(r, c, d)


def _read_in(model: CircuitOptions, spec: TaskSpec, tokens: int) -> int:
    u, c, d = model.modules, model.state_dim, model.head_dim
    attention = 2 * product(u, tokens, spec.token_dim) + product(u, spec.token_dim, d) + product(u, d, c)
    return attention + _feed_forward(model, u)


def _propagator(model: CircuitOptions) -> int:
    u, c, width = model.modules, model.state_dim, model.heads * model.head_dim
    return product(u, c, 3 * width) + 2 * product(u, width, u) + product(u, width, c) + _feed_forward(model, u)


def _readout(model: CircuitOptions, spec: TaskSpec) -> int:
    u, r, c, d = model.modules, model.readout_modules, model.state_dim, model.head_dim
    attention = product(u, c, 2 * d) + 2 * product(r, d, u) + product(r, d, c)
    return attention + _feed_forward(model, r) + product(r, c, 1) + product(1, c, spec.classes)


def _feed_forward(model: CircuitOptions, modules: int) -> int:
    # up: C → 2mC (GEGLU halves it), down: mC → C; together C × 3mC
    return product(modules, model.state_dim, 3 * model.ffn_mult * model.state_dim)


def _generator(model: CircuitOptions, spec: TaskSpec, words: int) -> int:
    """Count the conditional generator: self-attention over W words, cross-attentions of U + R seeds, three heads."""
    c, seeds = model.state_dim, model.modules + model.readout_modules
    reader = product(words, spec.token_dim, c) + product(words, c, 4 * c) + 2 * product(words, c, words)
    reader += product(words, c, 8 * c)
    layer = (
        product(seeds, c, 2 * c) + product(words, c, 2 * c) + 2 * product(seeds, c, words) + product(seeds, c, 8 * c)
    )
    heads = product(model.modules, c, c)  # to read-in codes
    heads += product(seeds if model.modulated else model.readout_modules, c, c)
    heads += product(seeds, c, model.signature_dim) if model.graph == "kernel" else 0
    return reader + model.generator_depth * layer + heads
