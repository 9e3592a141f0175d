"""PyTorch modules that are put together from a list of parts, and one run of such a module with all results and gradients.

A case is a dictionary, which is stored as JSON in the metadata of its file:

    {"precision": "f32", "inputs": 3, "batch_first": false, "parts": [
        {"kind": "LSTM", "path": "encoder.rnn", "size": 4, "layers": 2, "bidirectional": true, "bias": true},
        {"kind": "LastStep"},
        {"kind": "Linear", "path": "head", "size": 2, "bias": true}]}

`inputs` is null for a net on token ids. `path` is the place of the module in the state dict; an empty path is the net itself.
"""

import torch
from torch import nn
from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

PRECISIONS = {"f32": torch.float32, "f64": torch.float64}
ACTIVATIONS = {"Tanh": nn.Tanh, "Sigmoid": nn.Sigmoid, "Relu": nn.ReLU}


class StepByStep(nn.Module):
    """A recurrent layer that PyTorch does not have, by the equations in the documentation of longhand."""

    def __init__(self, kind, inputs, units, bias, nonlinearity):
        super().__init__()
        self.kind, self.units, self.nonlinearity = kind, units, nonlinearity
        rows, columns = (units, 1) if kind == "IndRnn" else (2 * units, units)
        shapes = {"weight_ih_l0": (rows, inputs), "weight_hh_l0": (rows, columns)}
        if bias:
            shapes |= {"bias_ih_l0": (rows,), "bias_hh_l0": (rows,)}
        if kind == "MinGru":
            shapes = {name: shape for name, shape in shapes.items() if "_ih_" in name}
        for name, shape in shapes.items():
            self.register_parameter(name, nn.Parameter(torch.empty(shape).uniform_(-(units**-0.5), units**-0.5)))
        if not bias:
            self.bias_ih_l0 = self.bias_hh_l0 = 0.0

    def step(self, x, h):
        a = x @ self.weight_ih_l0.T + self.bias_ih_l0
        if self.kind == "IndRnn":
            z = a + self.weight_hh_l0[:, 0] * h + self.bias_hh_l0
            return torch.tanh(z) if self.nonlinearity == "tanh" else torch.relu(z)
        if self.kind == "MinGru":
            a_z, c = a.chunk(2, 1)
            z = torch.sigmoid(a_z)
            return (1 - z) * h + z * c
        u = h @ self.weight_hh_l0.T + self.bias_hh_l0
        (a_f, a_n), (u_f, u_n) = a.chunk(2, 1), u.chunk(2, 1)
        f = torch.sigmoid(a_f + u_f)
        n = torch.tanh(a_n + f * u_n)
        return h + f * (n - h)

    def forward(self, x, lengths, h):
        """`x` is steps x batch x features, and `h` is batch x units."""
        outputs = []
        for t in range(x.shape[0]):
            valid = (lengths > t)[:, None]
            h = torch.where(valid, self.step(x[t], h), h)
            outputs.append(torch.where(valid, h, torch.zeros_like(h)))
        return torch.stack(outputs), h


def module_of(part, inputs):
    """The module of a part, or None, and the number of its output features."""
    kind, size, bias = part["kind"], part.get("size"), part.get("bias", True)
    if kind in ("RNN", "LSTM", "GRU"):
        extra = {"nonlinearity": part["nonlinearity"]} if kind == "RNN" else {}
        if part.get("projection"):
            extra = {"proj_size": part["projection"]}
        directions = 2 if part["bidirectional"] else 1
        module = getattr(nn, kind)(
            inputs, size, num_layers=part["layers"], bidirectional=part["bidirectional"], bias=bias, **extra
        )
        return module, directions * state_size(part, "h_0")
    if kind in ("IndRnn", "MinGru", "MinimalGatedUnit"):
        return StepByStep(kind, inputs, size, bias, part.get("nonlinearity")), size
    if kind == "Linear":
        return nn.Linear(inputs, size, bias=bias), size
    if kind == "Embedding":
        return nn.Embedding(part["tokens"], size), size
    if kind == "Dropout":
        return nn.Dropout(part["probability"]), inputs
    if kind in ACTIVATIONS:
        return ACTIVATIONS[kind](), inputs
    return None, inputs


def is_recurrent(part):
    return part["kind"] in ("RNN", "LSTM", "GRU", "IndRnn", "MinGru", "MinimalGatedUnit")


def recurrent_parts(parts):
    """All recurrent parts in order, those inside of others included."""
    for part in parts:
        if is_recurrent(part):
            yield part
        yield from recurrent_parts(part.get("inner", []))


class Net(nn.Module):
    """The modules of a case, nested in containers as their paths say."""

    def __init__(self, case):
        super().__init__()
        self.case = case
        self.root = None
        self.add(case["parts"], case["inputs"])
        self.to(PRECISIONS[case["precision"]])
        self.eval()

    def add(self, parts, inputs):
        for part in parts:
            if part["kind"] == "Residual":
                assert self.add(part["inner"], inputs) == inputs
                continue
            module, inputs = module_of(part, inputs)
            if module is not None and part.get("path"):
                self.put(part["path"], module)
            elif module is not None and any(True for _ in module.parameters()):
                self.root = module
        return inputs

    def put(self, path, module):
        *containers, name = path.split(".")
        parent = self
        for container in containers:
            if container not in parent._modules:
                parent.add_module(container, nn.Module())
            parent = parent._modules[container]
        parent.add_module(name, module)

    def target(self):
        """The module whose state dict the file has."""
        return self if self.root is None else self.root

    def module_at(self, part):
        return self.get_submodule(part["path"]) if part.get("path") else self.root

    def apply_part(self, part, x, run, results):
        kind, lengths = part["kind"], run["lengths"]
        steps, batch = x.shape[:2]
        if kind == "Residual":
            y = x
            for inner in part["inner"]:
                y = self.apply_part(inner, y, run, results)
            return x + y
        if kind == "LastStep":
            return x[lengths - 1, torch.arange(batch)][None]
        if kind == "MeanOverTime":
            return (x * mask(steps, lengths, x.dtype)).sum(0, keepdim=True) / lengths[None, :, None]
        if kind in ACTIVATIONS:
            return ACTIVATIONS[kind]()(x)
        if not is_recurrent(part):
            return self.module_at(part)(x)
        module, states = self.module_at(part), [run[f"{part['path']}/{s}"] for s in state_names(part)]
        if isinstance(module, StepByStep):
            output, h = module(x, lengths, states[0][0])
            states = (h[None],)
        else:
            packed = pack_padded_sequence(x, lengths, enforce_sorted=False)
            output, after = module(packed, tuple(states) if kind == "LSTM" else states[0])
            output, _ = pad_packed_sequence(output, total_length=steps)
            states = after if kind == "LSTM" else (after,)
        for name, state in zip(state_names(part), states):
            results[f"{part['path']}/{name.replace('_0', '_n')}"] = state
        return output

    def forward(self, run):
        """The outputs, zero in the padding, and the states after the last steps; `run` has inputs, lengths and first states."""
        results, x = {}, run["input"]
        if self.case["batch_first"]:
            x = x.transpose(0, 1)
        for part in self.case["parts"]:
            x = self.apply_part(part, x, run, results)
        if x.shape[0] > 1:
            x = x * mask(x.shape[0], run["lengths"], x.dtype)
        results["output"] = x.transpose(0, 1) if self.case["batch_first"] else x
        return results


def state_names(part):
    return ("h_0", "c_0") if part["kind"] == "LSTM" else ("h_0",)


def state_size(part, name):
    """The number of features of a state."""
    return part.get("projection") or part["size"] if name == "h_0" else part["size"]


def mask(steps, lengths, dtype):
    return (torch.arange(steps)[:, None] < lengths[None, :]).to(dtype)[:, :, None]


def run_with_gradients(net, run):
    """Every result of a run, and the gradients of `sum(result * d_result)` with respect to everything that is real.

    `run` has the inputs, lengths and first states, and d_<name> for each result that has a gradient.
    """
    net.zero_grad()
    variables = {
        name: value.clone().requires_grad_()
        for name, value in run.items()
        if value.is_floating_point() and not name.startswith("d_") and (name == "input" or name.endswith("_0"))
    }
    results = net(run | variables)
    total = sum((value * run[f"d_{name}"]).sum() for name, value in results.items())
    total.backward()
    gradients = {f"d_{name}": value.grad for name, value in variables.items()}
    gradients |= {f"gradient/{name}": value.grad for name, value in net.target().named_parameters()}
    assert all(value is not None for value in gradients.values())
    return {name: value.detach() for name, value in (results | gradients).items()}
