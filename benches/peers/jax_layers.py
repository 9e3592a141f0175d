"""Recurrent layers in JAX: logits of the last step, differentiated by JAX or with the backward pass by hand.

The product of the input weights with every step is taken before the scan. JAX's own derivative of a scan adds up the
gradient of the recurrent weight step by step; the forms by hand keep what the gates say at every step and take that
gradient in one product after the scan, which is what an expert who needs the speed would write.
"""

import jax
import jax.numpy as jnp
from jax import lax


def gate_inputs(cell, p, x):
    """What the inputs say to the gates, at every step."""
    bias = p["bias_ih"] if cell == "gru" else p["bias_ih"] + p["bias_hh"]
    return x @ p["weight_ih"].T + bias


def forth(weight, a):
    """The recurrent weight as a step forward multiplies by it, laid out once before the scan."""
    return weight if a.ndim == 2 else weight.T


def back(weight, a):
    """The recurrent weight as a step backward multiplies by it."""
    return weight.T if a.ndim == 2 else weight


def times(h, matrix):
    """The product of the carry. Without a batch it is a plain vector, and XLA likes matrix times vector best then."""
    return matrix @ h if h.ndim == 1 else h @ matrix


def elman_step(matrix, _, h, a):
    """One step."""
    return jnp.tanh(a + times(h, matrix))


def lstm_step(matrix, _, carry, a):
    """One step; the carry is hidden state and cell."""
    h, c = carry
    i, f, g, o = jnp.split(a + times(h, matrix), 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(matrix, bias, h, a):
    """One step."""
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    u_r, u_z, u_n = jnp.split(times(h, matrix) + bias, 3, axis=-1)
    r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
    n = jnp.tanh(a_n + r * u_n)
    return n + z * (h - n)


STEP = {"elman": elman_step, "lstm": lstm_step, "gru": gru_step}


def zero_carry(cell, shape):
    """The carry before the first step."""
    zero = jnp.zeros(shape)
    return (zero, zero) if cell == "lstm" else zero


def last_hidden(cell, p, x, carry, unroll):
    """The last hidden state and the carry that goes out, by a scan over the steps of `x`."""
    a = gate_inputs(cell, p, x)
    matrix, bias = forth(p["weight_hh"], a), p["bias_hh"]
    carry, _ = lax.scan(lambda carry, a: (STEP[cell](matrix, bias, carry, a), None), carry, a, unroll=unroll)
    return (carry[0] if cell == "lstm" else carry), carry


def by_hand(cell, unroll):
    """`last_hidden` from a zero carry, with its backward pass written out."""

    @jax.custom_vjp
    def recurrence(weight, bias, carry, a):
        return forward(weight, bias, carry, a)[0]

    def forward(weight, bias, carry, a):
        matrix = forth(weight, a)
        last, kept = lax.scan(lambda carry, a: KEEP[cell](matrix, bias, carry, a), carry, a, unroll=unroll)
        return (last[0] if cell == "lstm" else last), (weight, kept)

    def backward(saved, d_h):
        weight, kept = saved
        matrix = back(weight, kept[0])
        d_carry = (d_h, jnp.zeros_like(d_h)) if cell == "lstm" else d_h
        d_carry, d_gates = lax.scan(
            lambda d_carry, kept: BACK[cell](matrix, d_carry, kept), d_carry, kept, reverse=True, unroll=unroll
        )
        d_a, d_u = d_gates if cell == "gru" else (d_gates, d_gates)
        h_before = kept[0]
        rows, columns = d_u.shape[-1], h_before.shape[-1]
        # Transposed twice: XLA takes this product at half the time of the other order.
        d_weight = (h_before.reshape(-1, columns).T @ d_u.reshape(-1, rows)).T
        # Only in the GRU does this bias come in here; elsewhere it is part of `a`, and XLA drops this sum.
        d_bias = d_u.reshape(-1, rows).sum(0)
        return d_weight, d_bias if cell == "gru" else jnp.zeros_like(d_bias), d_carry, d_a

    recurrence.defvjp(forward, backward)
    return lambda p, x, carry: recurrence(p["weight_hh"], p["bias_hh"], carry, gate_inputs(cell, p, x))


def elman_keep(matrix, bias, h, a):
    """A step, and what its backward pass needs."""
    after = elman_step(matrix, bias, h, a)
    return after, (h, after)


def elman_back(matrix, d_h, kept):
    """A step backwards: the gradient of the carry, and of what the gates were told."""
    _, after = kept
    d_a = d_h * (1 - after * after)
    return times(d_a, matrix), d_a


def lstm_keep(matrix, _, carry, a):
    """A step, and what its backward pass needs."""
    h, c = carry
    i, f, g, o = jnp.split(a + times(h, matrix), 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    after = f * c + i * g
    tanh = jnp.tanh(after)
    return (o * tanh, after), (h, c, i, f, g, o, tanh)


def lstm_back(matrix, d_carry, kept):
    """A step backwards: the gradient of the carry, and of what the gates were told."""
    d_h, d_c = d_carry
    _, c, i, f, g, o, tanh = kept
    d_c = d_c + d_h * o * (1 - tanh * tanh)
    d_a = jnp.concatenate(
        [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g * g), d_h * tanh * o * (1 - o)], axis=-1
    )
    return (times(d_a, matrix), d_c * f), d_a


def gru_keep(matrix, bias, h, a):
    """A step, and what its backward pass needs."""
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    u_r, u_z, u_n = jnp.split(times(h, matrix) + bias, 3, axis=-1)
    r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
    n = jnp.tanh(a_n + r * u_n)
    return n + z * (h - n), (h, r, z, n, u_n)


def gru_back(matrix, d_h, kept):
    """A step backwards: the gradient of the carry, and of what the gates were told by the input and by the state."""
    h, r, z, n, u_n = kept
    d_n = d_h * (1 - z) * (1 - n * n)
    d_r = d_n * u_n * r * (1 - r)
    d_z = d_h * (h - n) * z * (1 - z)
    d_u = jnp.concatenate([d_r, d_z, d_n * r], axis=-1)
    return d_h * z + times(d_u, matrix), (jnp.concatenate([d_r, d_z, d_n], axis=-1), d_u)


KEEP = {"elman": elman_keep, "lstm": lstm_keep, "gru": gru_keep}
BACK = {"elman": elman_back, "lstm": lstm_back, "gru": gru_back}


def last_hidden_and_gates(cell, p, x, carry, unroll):
    """`last_hidden`, and two gates of every step that nobody reads. XLA writes what leaves a scan to memory; left
    to itself it takes the exponentials of these gates again for every reader, which is up to four times slower."""
    a = gate_inputs(cell, p, x)
    matrix, bias = forth(p["weight_hh"], a), p["bias_hh"]
    first = {"gru": 1, "lstm": 2}[cell]

    def step(carry, a):
        carry, kept = KEEP[cell](matrix, bias, carry, a)
        return carry, kept[first : first + 2]

    carry, gates = lax.scan(step, carry, a, unroll=unroll)
    return (carry[0] if cell == "lstm" else carry), gates
