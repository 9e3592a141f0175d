"""Computes the reference values of mod.rs with PyTorch in double precision.

    python -m venv venv && venv/bin/pip install torch numpy
    venv/bin/python reference.py > reference.json

The tests do not run this script: they read its output, reference.json, which is in the same directory. A weight is a list of
rows. A sequence is a list of steps, each a list of features. Sequences of different lengths are run one by one. "module" is
nn.MultiheadAttention with one head and an output projection that is the identity, "function" is
scaled_dot_product_attention.
"""

import json
import sys

import torch

torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)


def banded(steps, window):
    """True where a query (row) sees a key (column): the current step and window - 1 earlier ones."""
    step = torch.arange(steps)
    distance = step[:, None] - step[None, :]
    return (distance >= 0) & (distance < window)


def attention(inputs, outputs, key_size, window, lengths, seed, module=False):
    """Runs attention with a banded causal mask, with a cotangent on the output of every step."""
    torch.manual_seed(seed)
    weight = torch.randn(2 * key_size + outputs, inputs, requires_grad=True)
    bias = torch.randn(2 * key_size + outputs, requires_grad=True)
    x = [torch.randn(n, inputs, requires_grad=True) for n in lengths]
    y = []
    d_y = []
    for sequence in x:
        mask = banded(len(sequence), window)
        if module:
            y.append(
                torch.nn.functional.multi_head_attention_forward(
                    sequence, sequence, sequence, inputs, 1, weight, bias, None, None, False, 0.0,
                    torch.eye(inputs), None, need_weights=False, attn_mask=~mask,
                )[0]
            )
        else:
            projected = torch.nn.functional.linear(sequence, weight, bias)
            q, k, v = projected.split([key_size, key_size, outputs], dim=1)
            heads = [part[None, None] for part in (q, k, v)]
            y.append(torch.nn.functional.scaled_dot_product_attention(*heads, attn_mask=mask)[0, 0])
        d_y.append(torch.randn_like(y[-1]))
        (d_y[-1] * y[-1]).sum().backward()
    return {
        "call": "module" if module else "function",
        "inputs": inputs,
        "outputs": outputs,
        "key_size": key_size,
        "window": window,
        "weight": weight.tolist(),
        "bias": bias.tolist(),
        "x": [t.tolist() for t in x],
        "output": [t.tolist() for t in y],
        "d_output": [t.tolist() for t in d_y],
        "d_weight": weight.grad.tolist(),
        "d_bias": bias.grad.tolist(),
        "d_x": [t.grad.tolist() for t in x],
    }


json.dump(
    {
        "torch": torch.__version__,
        "cases": [
            attention(2, 3, 4, 3, [5, 5], 1),
            attention(3, 2, 1, 2, [7, 2, 4], 2),
            attention(1, 1, 1, 1, [3], 3),
            attention(4, 5, 3, 20, [9, 1], 4),
            attention(3, 4, 9, 5, [12, 8, 3], 5),
            attention(4, 4, 4, 3, [6, 10], 6, module=True),
        ],
    },
    sys.stdout,
    separators=(",", ":"),
)
print()
