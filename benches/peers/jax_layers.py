"""Recurrent layers in JAX: last hidden state, differentiated by JAX or with a hand-written backward pass.

The input product of all steps is computed before the scan. JAX's derivative of a scan accumulates the gradient of the
recurrent weight step by step. The hand-written forms store the gates of every step and compute this gradient in one
product after the scan, as an expert who needs the speed would.
"""

import jax
import jax.numpy as jnp
from jax import lax


def gate_inputs(cell, p, x):
    """Input pre-activations of the gates at every step, including the bias."""
    bias = p["bias_ih"] if cell == "gru" else p["bias_ih"] + p["bias_hh"]
    return x @ p["weight_ih"].T + bias


def forward_weight(weight, a):
    """The recurrent weight in the layout of the forward step, computed once before the scan."""
    return weight if a.ndim == 2 else weight.T


def backward_weight(weight, a):
    """The recurrent weight in the layout of the backward step."""
    return weight.T if a.ndim == 2 else weight


def times(h, matrix):
    """Multiplies the hidden state by a matrix. Without a batch, matrix times vector is fastest in XLA."""
    return matrix @ h if h.ndim == 1 else h @ matrix


def elman_step(matrix, _, h, a):
    """A forward step; the carry is the hidden state."""
    return jnp.tanh(a + times(h, matrix))


def lstm_step(matrix, _, carry, a):
    """A forward step; the carry is the hidden state and the cell state."""
    h, c = carry
    i, f, g, o = jnp.split(a + times(h, matrix), 4, axis=-1)
    c = jax.nn.sigmoid(f) * c + jax.nn.sigmoid(i) * jnp.tanh(g)
    return jax.nn.sigmoid(o) * jnp.tanh(c), c


def gru_step(matrix, bias, h, a):
    """A forward step; the carry is the hidden state."""
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    u_r, u_z, u_n = jnp.split(times(h, matrix) + bias, 3, axis=-1)
    r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
    n = jnp.tanh(a_n + r * u_n)
    return n + z * (h - n)


STEP = {"elman": elman_step, "lstm": lstm_step, "gru": gru_step}


def zero_carry(cell, shape):
    """Returns the carry before the first step."""
    zero = jnp.zeros(shape)
    return (zero, zero) if cell == "lstm" else zero


def last_hidden(cell, p, x, carry, unroll):
    """Returns the last hidden state and the final carry, computed by a scan over the steps of `x`."""
    a = gate_inputs(cell, p, x)
    matrix, bias = forward_weight(p["weight_hh"], a), p["bias_hh"]
    carry, _ = lax.scan(lambda carry, a: (STEP[cell](matrix, bias, carry, a), None), carry, a, unroll=unroll)
    return (carry[0] if cell == "lstm" else carry), carry


def by_hand(cell, unroll):
    """Returns a function like `last_hidden` with a hand-written backward pass."""

    @jax.custom_vjp
    def recurrence(weight, bias, carry, a):
        return forward(weight, bias, carry, a)[0]

    def forward(weight, bias, carry, a):
        matrix = forward_weight(weight, a)
        last, saved = lax.scan(lambda carry, a: FORWARD[cell](matrix, bias, carry, a), carry, a, unroll=unroll)
        return (last[0] if cell == "lstm" else last), (weight, saved)

    def backward(residuals, d_h):
        weight, saved = residuals
        matrix = backward_weight(weight, saved[0])
        d_carry = (d_h, jnp.zeros_like(d_h)) if cell == "lstm" else d_h
        d_carry, d_gates = lax.scan(
            lambda d_carry, saved: BACKWARD[cell](matrix, d_carry, saved), d_carry, saved, reverse=True, unroll=unroll
        )
        d_a, d_u = d_gates if cell == "gru" else (d_gates, d_gates)
        h_before = saved[0]
        rows, columns = d_u.shape[-1], h_before.shape[-1]
        # Transposed twice, because XLA computes the product in this order in half the time.
        d_weight = (h_before.reshape(-1, columns).T @ d_u.reshape(-1, rows)).T
        # Only the GRU has a separate recurrent bias. In the other cells it is part of `a`, and XLA eliminates this sum.
        d_bias = d_u.reshape(-1, rows).sum(0)
        return d_weight, d_bias if cell == "gru" else jnp.zeros_like(d_bias), d_carry, d_a

    recurrence.defvjp(forward, backward)
    return lambda p, x, carry: recurrence(p["weight_hh"], p["bias_hh"], carry, gate_inputs(cell, p, x))


def elman_forward(matrix, bias, h, a):
    """A forward step that also returns the values needed by the backward step."""
    after = elman_step(matrix, bias, h, a)
    return after, (h, after)


def elman_backward(matrix, d_h, saved):
    """A backward step: the gradients of the carry and of the pre-activations."""
    _, after = saved
    d_a = d_h * (1 - after * after)
    return times(d_a, matrix), d_a


def lstm_forward(matrix, _, carry, a):
    """A forward step that also returns the values needed by the backward step."""
    h, c = carry
    i, f, g, o = jnp.split(a + times(h, matrix), 4, axis=-1)
    i, f, g, o = jax.nn.sigmoid(i), jax.nn.sigmoid(f), jnp.tanh(g), jax.nn.sigmoid(o)
    after = f * c + i * g
    tanh = jnp.tanh(after)
    return (o * tanh, after), (h, c, i, f, g, o, tanh)


def lstm_backward(matrix, d_carry, saved):
    """A backward step: the gradients of the carry and of the pre-activations."""
    d_h, d_c = d_carry
    _, c, i, f, g, o, tanh = saved
    d_c = d_c + d_h * o * (1 - tanh * tanh)
    d_a = jnp.concatenate(
        [d_c * g * i * (1 - i), d_c * c * f * (1 - f), d_c * i * (1 - g * g), d_h * tanh * o * (1 - o)], axis=-1
    )
    return (times(d_a, matrix), d_c * f), d_a


def gru_forward(matrix, bias, h, a):
    """A forward step that also returns the values needed by the backward step."""
    a_r, a_z, a_n = jnp.split(a, 3, axis=-1)
    u_r, u_z, u_n = jnp.split(times(h, matrix) + bias, 3, axis=-1)
    r, z = jax.nn.sigmoid(a_r + u_r), jax.nn.sigmoid(a_z + u_z)
    n = jnp.tanh(a_n + r * u_n)
    return n + z * (h - n), (h, r, z, n, u_n)


def gru_backward(matrix, d_h, saved):
    """A backward step: the gradients of the carry and of the input and recurrent pre-activations."""
    h, r, z, n, u_n = saved
    d_n = d_h * (1 - z) * (1 - n * n)
    d_r = d_n * u_n * r * (1 - r)
    d_z = d_h * (h - n) * z * (1 - z)
    d_u = jnp.concatenate([d_r, d_z, d_n * r], axis=-1)
    return d_h * z + times(d_u, matrix), (jnp.concatenate([d_r, d_z, d_n], axis=-1), d_u)


FORWARD = {"elman": elman_forward, "lstm": lstm_forward, "gru": gru_forward}
BACKWARD = {"elman": elman_backward, "lstm": lstm_backward, "gru": gru_backward}


def last_hidden_and_gates(cell, p, x, carry, unroll):
    """Like `last_hidden`, but also returns two unused gates of every step. XLA stores the outputs of a scan in memory.
    Otherwise it would recompute the exponentials of these gates for every use: up to four times slower."""
    a = gate_inputs(cell, p, x)
    matrix, bias = forward_weight(p["weight_hh"], a), p["bias_hh"]
    first = {"gru": 1, "lstm": 2}[cell]

    def step(carry, a):
        carry, saved = FORWARD[cell](matrix, bias, carry, a)
        return carry, saved[first : first + 2]

    carry, gates = lax.scan(step, carry, a, unroll=unroll)
    return (carry[0] if cell == "lstm" else carry), gates
