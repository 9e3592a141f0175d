"""The workloads in PyTorch. Each has several forms, of which the fastest is used."""

import os

import torch
import torch_units
import torch.nn.functional as F
from torch import nn

from torch_layers import CELLS, ElmanByHand, ElmanLoop, GruByHand, Recurrent, load, tensor
from workloads import CLASSES, FEATURES, STEPS, classes, initial, inputs
from worker import Job

BY_HAND = {"elman": ElmanByHand, "gru": GruByHand}


def forms(workload):
    """Returns the forms of a workload by name."""
    if workload.kind == "layer":
        return torch_units.forms(workload)
    use_compile = os.environ.get("PEER_COMPILE", "1") == "1"
    if workload.kind == "study":
        jobs = {"nn.RNN": Study(workload, Recurrent), "loop": Study(workload, ElmanLoop)}
        if use_compile:
            jobs["torch.compile"] = CompiledStudy(workload)
        return jobs
    if workload.kind == "train":
        jobs = {f"nn.{nn_name(workload)}": Training(workload, Recurrent)}
        if workload.cell in BY_HAND:
            jobs["backward by hand"] = Training(workload, BY_HAND[workload.cell])
        if workload.cell == "elman":
            jobs["loop"] = Training(workload, ElmanLoop)
            if use_compile:
                jobs["torch.compile"] = Training(workload, ElmanLoop, compiled=True)
        return jobs
    if workload.kind == "infer":
        jobs = {f"nn.{nn_name(workload)}": Inference(workload, Recurrent)}
        if workload.cell in BY_HAND:
            jobs["loop"] = Inference(workload, BY_HAND[workload.cell])
        return jobs
    return {f"nn.{nn_name(workload)}Cell": Stream(workload)}


def nn_name(workload):
    """Returns PyTorch's name of the layer."""
    return "RNN" if workload.cell == "elman" else workload.cell.upper()


class Study(Job):
    """One sequence at a time, one update per window, gradients clipped by value, plain SGD."""

    def __init__(self, workload, model):
        self.workload, self.make = workload, model
        self.windows = tensor(inputs(workload)).split(workload.window)
        self.target = F.one_hot(torch.from_numpy(classes(workload)), CLASSES).float()
        self.first_carry = torch.zeros(1, 1, workload.units) if model is Recurrent else torch.zeros(1, workload.units)
        self.restart()

    def restart(self):
        self.model = self.make(self.workload)
        self.parameters = list(self.model.parameters())

    def run(self, steps):
        for _ in range(steps):
            carry, loss = self.first_carry, 0.0
            for x in self.windows:
                logits, carry = self.model(x, carry)
                carry = carry.detach()
                window_loss = F.binary_cross_entropy_with_logits(logits, self.target, reduction="sum")
                gradients = torch.autograd.grad(window_loss, self.parameters)
                with torch.no_grad():
                    # Equivalent to clip_grad_value_ and torch.optim.SGD, but faster here.
                    gradients = torch._foreach_clamp_max(torch._foreach_clamp_min(gradients, -1.0), 1.0)
                    torch._foreach_add_(self.parameters, gradients, alpha=-1e-3)
                loss += window_loss.detach()
        self.loss = loss

    def values(self):
        return [self.loss.item()]


class CompiledStudy(Job):
    """The whole sequence with its updates, compiled into one program. Products are written as sums, which the compiler
    fuses with the surrounding operations: the call of a matrix product would cost more than the product itself."""

    def __init__(self, workload):
        self.workload = workload
        windows = tensor(inputs(workload))[:, 0].split(workload.window)
        target = F.one_hot(torch.from_numpy(classes(workload)), CLASSES).float()[0]

        def loss(p, h, x):
            for a in F.linear(x, p["weight_ih"], p["bias_ih"] + p["bias_hh"]).unbind(0):
                h = torch.tanh(a + (p["weight_hh"] * h).sum(1))
            logits = (p["head_weight"] * h).sum(1) + p["head_bias"]
            value = F.binary_cross_entropy_with_logits(logits, target, reduction="sum")
            return value, (value, h)

        def sequence(p):
            h, total = torch.zeros(workload.units), 0.0
            for x in windows:
                gradients, (value, h) = torch.func.grad(loss, has_aux=True)(p, h, x)
                p = {name: w - 1e-3 * gradients[name].clamp(-1.0, 1.0) for name, w in p.items()}
                total = total + value
            return p, total

        self.sequence = torch.compile(sequence, fullgraph=True, options={"cpp_wrapper": True})
        self.restart()

    def restart(self):
        self.parameters = {name: tensor(value) for name, value in initial(self.workload).items()}

    @torch.no_grad()
    def run(self, steps):
        for _ in range(steps):
            self.parameters, self.loss = self.sequence(self.parameters)

    def values(self):
        return [self.loss.item()]


class Training(Job):
    """Mini-batches with full BPTT, clipping by the global norm, Adam."""

    def __init__(self, workload, model, compiled=False):
        self.workload = workload
        self.x = tensor(inputs(workload))
        self.target = torch.from_numpy(classes(workload))
        self.model = model(workload)
        self.first = [parameter.detach().clone() for parameter in self.model.parameters()]
        self.forward = torch.compile(self.model, fullgraph=True) if compiled else self.model
        self.restart()

    def restart(self):
        self.parameters = list(self.model.parameters())
        with torch.no_grad():
            for parameter, first in zip(self.parameters, self.first):
                parameter.copy_(first)
        self.optimizer = torch.optim.Adam(self.parameters, lr=1e-3, fused=True)

    def run(self, steps):
        for _ in range(steps):
            logits, _ = self.forward(self.x)
            loss = F.cross_entropy(logits, self.target)
            self.optimizer.zero_grad()
            loss.backward()
            nn.utils.clip_grad_norm_(self.parameters, 1.0, foreach=True)
            self.optimizer.step()
        self.loss = loss.detach()

    def values(self):
        return [self.loss.item()]


class Inference(Job):
    """Inference on whole sequences, without gradients."""

    def __init__(self, workload, model):
        self.model = model(workload).eval()
        self.x = tensor(inputs(workload))

    @torch.inference_mode()
    def run(self, steps):
        for _ in range(steps):
            self.logits, _ = self.model(self.x)

    def values(self):
        return self.logits.flatten().tolist()


class Stream(Job):
    """Streaming: one time step per step, with the carry kept between steps."""

    def __init__(self, workload):
        self.cell = CELLS[workload.cell](FEATURES, workload.units).eval()
        self.head = nn.Linear(workload.units, CLASSES).eval()
        load(self.cell, self.head, initial(workload), "")
        self.is_lstm = workload.cell == "lstm"
        self.x = tensor(inputs(workload)).unbind(0)
        self.zero = torch.zeros(1, workload.units)
        self.restart()

    def restart(self):
        self.at = 0
        self.carry = (self.zero, self.zero) if self.is_lstm else self.zero

    @torch.inference_mode()
    def run(self, steps):
        carry = self.carry
        for _ in range(steps):
            carry = self.cell(self.x[self.at], carry)
            self.logits = self.head(carry[0] if self.is_lstm else carry)
            self.at = (self.at + 1) % STEPS
        self.carry = carry

    def values(self):
        return self.logits.flatten().tolist()
