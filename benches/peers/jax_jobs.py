"""The workloads in JAX. Each has several forms, of which the fastest is used; a whole step is one compiled program."""

import jax
import jax.numpy as jnp
from jax import lax

from jax_layers import by_hand, last_hidden, last_hidden_and_gates, zero_carry
from workloads import CLASSES, FEATURES, classes, initial, inputs
from worker import Job


# XLA's own matrix products, or those of YNNPACK.
PRODUCTS = {"": None, ", YNNPACK": {"xla_cpu_experimental_ynn_fusion_type": "LIBRARY_FUSION_TYPE_DOT"}}


def forms(workload):
    """Returns the forms of a workload by name."""
    if workload.kind == "study":
        jobs = {}
        for unroll in (1, workload.window):
            for hand in (False, True):
                for sequences in (1, 20):
                    name = f"{backward(hand)}, unroll {unroll}, {sequences} sequences per program"
                    jobs[name] = Study(workload, unroll, hand, sequences)
        return jobs
    if workload.kind == "train":
        return {
            f"{backward(hand)}, unroll {unroll}{products}": Training(workload, unroll, hand, options)
            for hand, unroll in ((False, 1), (False, 5), (True, 1))
            for products, options in PRODUCTS.items()
        }
    return {
        f"unroll {unroll}{', gates stored' if gates else ''}{products}": Inference(workload, unroll, gates, options)
        for unroll in (1, 10)
        for gates in ((False,) if workload.cell == "elman" else (False, True))
        for products, options in PRODUCTS.items()
    }


def backward(hand):
    """Name of the way a form computes its gradients."""
    return "backward by hand" if hand else "jax.grad"


class JaxJob(Job):
    """A compiled program that maps a state to the next state and reuses the memory of the old one."""

    def prepare(self, workload, program, options=None):
        """Sets up the program, which is compiled in the first run."""
        self.first = {name: jnp.asarray(value) for name, value in initial(workload).items()}
        self.program = jax.jit(program, donate_argnums=0, compiler_options=options)
        self.restart()

    def restart(self):
        self.state = jax.tree.map(jnp.copy, self.start(self.first))
        jax.block_until_ready(self.state)

    def start(self, parameters):
        """Returns the state before the first step."""
        return parameters

    def run(self, steps):
        state = self.state
        for _ in range(steps // self.granularity):
            state, self.last = self.program(state)
        self.state = state
        jax.block_until_ready((state, self.last))

    def values(self):
        return jnp.ravel(self.last).tolist()


class Study(JaxJob):
    """One sequence at a time, one update per window, gradients clipped by value, plain SGD, in one compiled program."""

    def __init__(self, workload, unroll, hand, sequences):
        self.granularity = sequences
        windows = jnp.asarray(inputs(workload)).reshape(-1, workload.window, FEATURES)
        target = jax.nn.one_hot(classes(workload)[0], CLASSES)
        recurrence = by_hand("elman", unroll)

        def loss(p, carry, x):
            carry = recurrence(p, x, carry) if hand else last_hidden("elman", p, x, carry, unroll)[0]
            logits = p["head_weight"] @ carry + p["head_bias"]
            return jnp.sum(jnp.logaddexp(0.0, logits) - target * logits), carry

        def window(state, x):
            p, carry = state
            (value, carry), gradients = jax.value_and_grad(loss, has_aux=True)(p, carry, x)
            p = jax.tree.map(lambda w, g: w - 1e-3 * jnp.clip(g, -1.0, 1.0), p, gradients)
            return (p, carry), value

        def sequence(p, _):
            (p, _), values = lax.scan(window, (p, jnp.zeros(workload.units)), windows)
            return p, values.sum()

        def program(p):
            return lax.scan(sequence, p, None, length=sequences) if sequences > 1 else sequence(p, None)

        self.prepare(workload, program)


class Training(JaxJob):
    """Mini-batches with full BPTT, clipping by the global norm, Adam."""

    def __init__(self, workload, unroll, hand, options):
        cell = workload.cell
        x, labels = jnp.asarray(inputs(workload)), jnp.asarray(classes(workload))
        recurrence = by_hand(cell, unroll)
        zero = zero_carry(cell, (workload.batch, workload.units))

        def loss(p):
            hidden = recurrence(p, x, zero) if hand else last_hidden(cell, p, x, zero, unroll)[0]
            logits = hidden @ p["head_weight"].T + p["head_bias"]
            chosen = jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]
            return jnp.mean(jax.nn.logsumexp(logits, axis=1) - chosen)

        def program(state):
            p, first, second, step = state
            value, gradients = jax.value_and_grad(loss)(p)
            norm = jnp.sqrt(sum(jnp.sum(g * g) for g in gradients.values()))
            scale = jnp.minimum(1.0, 1.0 / norm)
            gradients = {name: g * scale for name, g in gradients.items()}
            step = step + 1
            first = {name: 0.9 * first[name] + 0.1 * g for name, g in gradients.items()}
            second = {name: 0.999 * second[name] + 0.001 * g * g for name, g in gradients.items()}
            rate, correction = 1e-3 / (1 - 0.9**step), 1 / (1 - 0.999**step)
            p = {
                name: w - rate * first[name] / (jnp.sqrt(second[name] * correction) + 1e-8) for name, w in p.items()
            }
            return (p, first, second, step), value

        self.prepare(workload, program, options)

    def start(self, parameters):
        zeros = jax.tree.map(jnp.zeros_like, parameters)
        return parameters, zeros, zeros, jnp.float32(0)


class Inference(JaxJob):
    """Inference on whole sequences, without gradients."""

    def __init__(self, workload, unroll, gates, options):
        cell, x = workload.cell, jnp.asarray(inputs(workload))
        zero = zero_carry(cell, (workload.batch, workload.units))

        def program(p):
            hidden, stored = (last_hidden_and_gates if gates else last_hidden)(cell, p, x, zero, unroll)
            return p, (hidden @ p["head_weight"].T + p["head_bias"], stored)

        self.prepare(workload, program, options)

    def values(self):
        return jnp.ravel(self.last[0]).tolist()
