"""Recurrent layers in PyTorch: its own, loops over tensors, and loops with hand-written backward passes.

The hand-written backward passes store the gates of every step and compute the gradient of the recurrent weight in one
product at the end. Autograd accumulates it step by step.
"""

import torch
import torch.nn.functional as F
from torch import nn

from workloads import CLASSES, FEATURES, initial

LAYERS = {"elman": nn.RNN, "lstm": nn.LSTM, "gru": nn.GRU}
CELLS = {"elman": nn.RNNCell, "lstm": nn.LSTMCell, "gru": nn.GRUCell}


def tensor(array):
    """Copies an array to a tensor."""
    return torch.from_numpy(array.copy())


def load(layer, head, values, suffix):
    """Copies the initial weights into a recurrent and a linear module."""
    with torch.no_grad():
        for name in ("weight_ih", "weight_hh", "bias_ih", "bias_hh"):
            getattr(layer, name + suffix).copy_(tensor(values[name]))
        head.weight.copy_(tensor(values["head_weight"]))
        head.bias.copy_(tensor(values["head_bias"]))


class Recurrent(nn.Module):
    """PyTorch's own layer, with a linear layer on the last hidden state."""

    def __init__(self, workload):
        super().__init__()
        self.layer = LAYERS[workload.cell](FEATURES, workload.units)
        self.head = nn.Linear(workload.units, CLASSES)
        load(self.layer, self.head, initial(workload), "_l0")

    def forward(self, x, carry=None):
        """Returns the logits and the final carry."""
        output, carry = self.layer(x, carry)
        return self.head(output[-1]), carry


class Parameters(nn.Module):
    """A module with the weights as parameters, as a base class."""

    def __init__(self, workload):
        super().__init__()
        for name, value in initial(workload).items():
            setattr(self, name, nn.Parameter(tensor(value)))


class ElmanLoop(Parameters):
    """One product for all inputs, then one `addmm` and one `tanh` per step."""

    def forward(self, x, carry=None):
        """Returns the logits and the final carry."""
        weight = self.weight_hh.t()
        hidden = x.new_zeros(x.shape[1], weight.shape[0]) if carry is None else carry
        for step in F.linear(x, self.weight_ih, self.bias_ih + self.bias_hh).unbind(0):
            hidden = torch.tanh(torch.addmm(step, hidden, weight))
        return F.linear(hidden, self.head_weight, self.head_bias), hidden


class ElmanByHand(Parameters):
    """An Elman layer with a hand-written backward pass, starting from a zero carry."""

    def forward(self, x):
        """Returns the logits and the last hidden state."""
        hidden = ElmanFunction.apply(F.linear(x, self.weight_ih, self.bias_ih + self.bias_hh), self.weight_hh)
        return F.linear(hidden, self.head_weight, self.head_bias), hidden


class ElmanFunction(torch.autograd.Function):
    """Maps input pre-activations to the last hidden state of an Elman layer."""

    @staticmethod
    def forward(ctx, a, weight):
        hidden = a.new_zeros(a.shape[0] + 1, *a.shape[1:])
        states, transposed = hidden.unbind(0), weight.t()
        for step, before, after in zip(a.unbind(0), states, states[1:]):
            torch.addmm(step, before, transposed, out=after).tanh_()
        ctx.save_for_backward(weight, hidden)
        return hidden[-1]

    @staticmethod
    def backward(ctx, d_h):
        weight, hidden = ctx.saved_tensors
        d_a = torch.empty_like(hidden[1:])
        through_tanh = torch.ops.aten.tanh_backward.grad_input
        for d_step, after in zip(reversed(d_a.unbind(0)), reversed(hidden[1:].unbind(0))):
            through_tanh(d_h, after, grad_input=d_step)
            d_h = torch.mm(d_step, weight)
        return d_a, d_a.flatten(0, 1).t() @ hidden[:-1].flatten(0, 1)


class GruByHand(Parameters):
    """A GRU with a hand-written backward pass, starting from a zero carry."""

    def forward(self, x):
        """Returns the logits and the last hidden state."""
        a = F.linear(x, self.weight_ih, self.bias_ih)
        hidden = GruFunction.apply(a, self.weight_hh, self.bias_hh)
        return F.linear(hidden, self.head_weight, self.head_bias), hidden


class GruFunction(torch.autograd.Function):
    """Maps input pre-activations to the last hidden state of a GRU."""

    @staticmethod
    def forward(ctx, a, weight, bias):
        units = weight.shape[1]
        hidden = a.new_zeros(a.shape[0] + 1, a.shape[1], units)
        gates, recurrent = torch.empty_like(a), torch.empty_like(a)
        states, transposed = hidden.unbind(0), weight.t()
        a_rz, a_n = a[..., : 2 * units].unbind(0), a[..., 2 * units :].unbind(0)
        g_rz, g_r, g_z, g_n = (
            part.unbind(0)
            for part in (gates[..., : 2 * units], *gates.chunk(3, 2))
        )
        u_rz, u_n = recurrent[..., : 2 * units].unbind(0), recurrent[..., 2 * units :].unbind(0)
        for t, u in enumerate(recurrent.unbind(0)):
            torch.addmm(bias, states[t], transposed, out=u)
            torch.add(a_rz[t], u_rz[t], out=g_rz[t]).sigmoid_()
            torch.addcmul(a_n[t], g_r[t], u_n[t], out=g_n[t]).tanh_()
            torch.lerp(g_n[t], states[t], g_z[t], out=states[t + 1])
        ctx.save_for_backward(weight, hidden, gates, recurrent)
        return hidden[-1]

    @staticmethod
    def backward(ctx, d_h):
        weight, hidden, gates, recurrent = ctx.saved_tensors
        units = weight.shape[1]
        r, z, n = gates.chunk(3, 2)
        # d_u is d_h times these factors. They do not depend on later steps: compute them for all steps at once.
        n_factor = (1 - z) * (1 - n * n)
        factors = torch.stack(
            [n_factor * recurrent[..., 2 * units :] * r * (1 - r), (hidden[:-1] - n) * z * (1 - z), n_factor * r], 2
        )
        d_u = torch.empty_like(factors)
        d_hs = torch.empty_like(n)
        for t in range(len(d_u) - 1, -1, -1):
            d_hs[t] = d_h
            torch.mul(factors[t], d_h[:, None], out=d_u[t])
            d_h = torch.addmm(d_h * z[t], d_u[t].flatten(1), weight)
        d_a = torch.cat([d_u[:, :, :2].flatten(2), n_factor * d_hs], 2)
        d_u = d_u.flatten(2).flatten(0, 1)
        return d_a, d_u.t() @ hidden[:-1].flatten(0, 1), d_u.sum(0)
