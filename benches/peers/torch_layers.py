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


def gru_forward(a, weight, bias):
    """Returns all hidden states of a GRU, from the zero carry on, its gates and its recurrent products."""
    units = weight.shape[1]
    hidden = a.new_zeros(a.shape[0] + 1, a.shape[1], units)
    gates, recurrent = torch.empty_like(a), torch.empty_like(a)
    states, transposed = hidden.unbind(0), weight.t()
    a_rz, a_n = a[..., : 2 * units].unbind(0), a[..., 2 * units :].unbind(0)
    g_rz, g_r, g_z, g_n = (part.unbind(0) for part in (gates[..., : 2 * units], *gates.chunk(3, 2)))
    u_rz, u_n = recurrent[..., : 2 * units].unbind(0), recurrent[..., 2 * units :].unbind(0)
    for t, u in enumerate(recurrent.unbind(0)):
        torch.addmm(bias, states[t], transposed, out=u)
        torch.add(a_rz[t], u_rz[t], out=g_rz[t]).sigmoid_()
        torch.addcmul(a_n[t], g_r[t], u_n[t], out=g_n[t]).tanh_()
        torch.lerp(g_n[t], states[t], g_z[t], out=states[t + 1])
    return hidden, gates, recurrent


def gru_backward(weight, hidden, gates, recurrent, d_h, d_y=None):
    """Returns the gradients of the input pre-activations, of the weight and of the bias. `d_h` is the gradient of the
    last hidden state, and `d_y` that of all hidden states before it, if these are used."""
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
        before = d_h * z[t] if d_y is None or t == 0 else torch.addcmul(d_y[t - 1], d_h, z[t])
        d_h = torch.addmm(before, d_u[t].flatten(1), weight)
    d_a = torch.cat([d_u[:, :, :2].flatten(2), n_factor * d_hs], 2)
    d_u = d_u.flatten(2).flatten(0, 1)
    return d_a, d_u.t() @ hidden[:-1].flatten(0, 1), d_u.sum(0)


class GruFunction(torch.autograd.Function):
    """Maps input pre-activations to the last hidden state of a GRU."""

    @staticmethod
    def forward(ctx, a, weight, bias):
        hidden, gates, recurrent = gru_forward(a, weight, bias)
        ctx.save_for_backward(weight, hidden, gates, recurrent)
        return hidden[-1]

    @staticmethod
    def backward(ctx, d_h):
        return gru_backward(*ctx.saved_tensors, d_h)


class GruStates(torch.autograd.Function):
    """Maps input pre-activations to the hidden states of a GRU after each step."""

    @staticmethod
    def forward(ctx, a, weight, bias):
        hidden, gates, recurrent = gru_forward(a, weight, bias)
        ctx.save_for_backward(weight, hidden, gates, recurrent)
        return hidden[1:]

    @staticmethod
    def backward(ctx, d_y):
        return gru_backward(*ctx.saved_tensors, d_y[-1], d_y[:-1])


class ProjectedLstmStates(torch.autograd.Function):
    """Maps input pre-activations to the hidden states of an LSTM with projection after each step."""

    @staticmethod
    def forward(ctx, a, weight, projection):
        steps, batch, rows = a.shape
        units = rows // 4
        hidden, cells = (a.new_zeros(steps + 1, batch, size) for size in (len(projection), units))
        gates, outputs = torch.empty_like(a), a.new_empty(steps, batch, units)
        tanh_cells = torch.empty_like(outputs)
        parts = (gates, gates[..., : 2 * units], *gates.chunk(4, 2), hidden, cells, outputs, tanh_cells)
        z, g_if, g_i, g_f, g_g, g_o, h, c, m, tanh_c = (part.unbind(0) for part in parts)
        for t, step in enumerate(a.unbind(0)):
            torch.addmm(step, h[t], weight.t(), out=z[t])
            g_if[t].sigmoid_(), g_g[t].tanh_(), g_o[t].sigmoid_()
            torch.mul(g_i[t], g_g[t], out=c[t + 1]).addcmul_(g_f[t], c[t])
            torch.mul(g_o[t], torch.tanh(c[t + 1], out=tanh_c[t]), out=m[t])
            torch.mm(m[t], projection.t(), out=h[t + 1])
        ctx.save_for_backward(weight, projection, hidden, cells, gates, outputs, tanh_cells)
        return hidden[1:]

    @staticmethod
    def backward(ctx, d_y):
        weight, projection, hidden, cells, gates, outputs, tanh_cells = ctx.saved_tensors
        i, f, g, o = gates.chunk(4, 2)
        # What does not depend on later steps, for all steps at once.
        through_tanh, o_factor = o * (1 - tanh_cells * tanh_cells), outputs * (1 - o)
        factors = torch.stack([g * i * (1 - i), cells[:-1] * f * (1 - f), i * (1 - g * g)], 2)
        d_z = gates.new_empty(*i.shape[:2], 4, i.shape[2])
        d_h, d_c = torch.empty_like(d_y), torch.zeros_like(cells[0])
        d_h[-1] = d_y[-1]
        for t in range(len(d_z) - 1, -1, -1):
            d_m = torch.mm(d_h[t], projection)
            d_c = torch.addcmul(d_c, d_m, through_tanh[t])
            torch.mul(factors[t], d_c[:, None], out=d_z[t, :, :3])
            torch.mul(d_m, o_factor[t], out=d_z[t, :, 3])
            if t > 0:
                d_c = d_c * f[t]
                torch.addmm(d_y[t - 1], d_z[t].flatten(1), weight, out=d_h[t - 1])
        d_z = d_z.flatten(2)
        d_weight = d_z.flatten(0, 1).t() @ hidden[:-1].flatten(0, 1)
        return d_z, d_weight, d_h.flatten(0, 1).t() @ outputs.flatten(0, 1)
