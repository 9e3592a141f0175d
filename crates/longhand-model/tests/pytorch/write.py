#!/usr/bin/env python3
"""Writes the files that the test program `pytorch.rs` reads: state dicts of random PyTorch modules, with a run of each.

    python write.py                                  # the files of the repository
    python write.py --folder DIR --seed 7 --count 100   # other random modules, see `pytorch.rs`

A file has the tensors of the module's state dict under their names, and under `run.` the inputs, lengths, first states, outputs, last
states, the gradients that came in, and those that PyTorch computed. Inputs and outputs are in the order of the module (`batch_first`).
"""

import argparse
import json
import pathlib
import random

import torch
from safetensors.torch import save_file

from nets import PRECISIONS, Net, recurrent_parts, run_with_gradients, state_names, state_size
from torch import nn

HERE = pathlib.Path(__file__).parent
PREFIXES = ["", "model.", "module.", "_orig_mod.", "net.encoder.", "layers.0.", "a.b.c.", "1.inner."]


def recurrent(rng, kind, path, layers=None, bidirectional=None, size=None):
    by_hand = kind in ("IndRnn", "MinGru", "MinimalGatedUnit")
    layers = 1 if by_hand else layers or rng.randint(1, 3)
    part = {
        "kind": kind,
        "path": path,
        "size": size or rng.randint(1, 9 if layers == 1 else 5),
        "layers": layers,
        "bidirectional": not by_hand and (rng.random() < 0.4 if bidirectional is None else bidirectional),
        "bias": rng.random() < 0.7,
    }
    if kind in ("RNN", "IndRnn"):
        part["nonlinearity"] = rng.choice(["tanh", "relu"])
    return part


def any_recurrent(rng, path, **settings):
    kinds = ["RNN", "LSTM", "GRU"] * 3 + ["IndRnn", "MinimalGatedUnit"]
    return recurrent(rng, rng.choice(kinds), path, **settings)


def linear(rng, path, size=None):
    return {"kind": "Linear", "path": path, "size": size or rng.randint(1, 5), "bias": rng.random() < 0.7}


def activation(rng):
    return {"kind": rng.choice(["Tanh", "Sigmoid", "Relu"])}


def nested(rng):
    """A net of several modules: embedding or linear layer, recurrent layers, pooling, head."""
    prefix, parts, inputs = rng.choice(PREFIXES), [], rng.randint(1, 4)
    if rng.random() < 0.4:
        inputs, size = None, rng.randint(1, 4)
        parts.append({"kind": "Embedding", "path": f"{prefix}embedding", "size": size, "tokens": rng.randint(2, 9)})
    elif rng.random() < 0.4:
        parts += [linear(rng, f"{prefix}projection"), activation(rng)]
    for place in range(rng.randint(1, 2)):
        parts.append(any_recurrent(rng, f"{prefix}rnns.{place}", layers=rng.randint(1, 2)))
        if rng.random() < 0.4:
            parts.append({"kind": "Dropout", "path": f"{prefix}dropout{place}", "probability": 0.25})
    if rng.random() < 0.4:
        width = parts[-1]["size"] if "size" in parts[-1] else parts[-2]["size"]
        last = next(part for part in reversed(parts) if "layers" in part)
        width *= 2 if last["bidirectional"] else 1
        inner = [any_recurrent(rng, f"{prefix}residual", bidirectional=False, size=width, layers=rng.randint(1, 2))]
        if rng.random() < 0.5:
            inner.append({"kind": "Tanh"})
        parts.append({"kind": "Residual", "inner": inner})
    if rng.random() < 0.6:
        parts.append({"kind": rng.choice(["LastStep", "MeanOverTime"])})
    if rng.random() < 0.8:
        parts.append(linear(rng, f"{prefix}head"))
        if rng.random() < 0.3:
            parts.append(activation(rng))
    return inputs, parts


def case(inputs, parts, precision="f32", batch_first=False):
    return {"precision": precision, "inputs": inputs, "batch_first": batch_first, "parts": parts}


def repository_cases(rng):
    """The cases of the repository by name: each kind of layer in each form, and nets."""
    cases = {}
    for kind in ("RNN", "LSTM", "GRU"):
        for bidirectional in (False, True):
            for layers in (1, 2, 3):
                path = rng.choice(["", "rnn", "encoder.rnn"])
                part = recurrent(rng, kind, path, layers=layers, bidirectional=bidirectional)
                part["bias"] = layers != 2
                if kind == "RNN":
                    part["nonlinearity"] = "relu" if (layers + bidirectional) % 2 else "tanh"
                precision = "f64" if layers == (3 if bidirectional else 2) else "f32"
                name = f"{kind.lower()}-{layers}{'-bidirectional' if bidirectional else ''}"
                cases[name] = case(rng.randint(1, 4), [part], precision, batch_first=layers == 3)
    for kind in ("IndRnn", "MinimalGatedUnit"):
        cases[kind.lower()] = case(3, [recurrent(rng, kind, "rnn")])
    cases["linear"] = case(3, [linear(rng, "0"), {"kind": "Relu"}, linear(rng, "2"), {"kind": "Sigmoid"}])
    cases["linear-without-bias"] = case(2, [linear(rng, "") | {"bias": False}, {"kind": "Tanh"}], "f64")
    for number in range(12):
        inputs, parts = nested(rng)
        cases[f"net-{number}"] = case(inputs, parts, "f64" if number % 4 == 3 else "f32", rng.random() < 0.5)
    for precision in ("f32", "f64"):
        parts = [recurrent(rng, "MinGru", f"rnns.{place}") for place in (0, 1)]
        cases[f"mingru-{precision}"] = case(3, parts, precision)
    # Drawn apart, so that the other cases stay the same.
    rng = random.Random(2)
    for layers, bidirectional in ((1, False), (2, False), (2, True)):
        part = recurrent(rng, "LSTM", "rnn", layers=layers, bidirectional=bidirectional, size=5) | {"projection": 3}
        name = f"lstm-projected-{layers}{'-bidirectional' if bidirectional else ''}"
        cases[name] = case(2, [part, linear(rng, "head")], "f32" if layers == 1 else "f64")
    return cases


def random_cases(rng, count):
    for number in range(count):
        if rng.random() < 0.4:
            inputs, parts = rng.randint(1, 6), [any_recurrent(rng, rng.choice(["", "rnn", "a.b"]), size=rng.randint(1, 40))]
        else:
            inputs, parts = nested(rng)
        yield f"random-{number}", case(inputs, parts, rng.choice(["f32", "f32", "f64"]), rng.random() < 0.5)


def inputs_of_run(rng, net, case):
    """Random inputs, lengths, first states and gradients of results."""
    dtype, steps, batch = PRECISIONS[case["precision"]], rng.randint(1, 7), rng.randint(1, 4)
    lengths = torch.full((batch,), steps)
    if rng.random() < 0.6:
        lengths = torch.tensor([rng.randint(1, steps) for _ in range(batch)])
        lengths[rng.randrange(batch)] = steps
    size = (batch, steps) if case["batch_first"] else (steps, batch)
    if case["inputs"] is None:
        values = torch.randint(case["parts"][0]["tokens"], size)
    else:
        values = torch.randn(*size, case["inputs"], dtype=dtype)
    run = {"input": values, "lengths": lengths}
    zero_states = rng.random() < 0.3
    for part in recurrent_parts(case["parts"]):
        directions = 2 if part["bidirectional"] else 1
        for name in state_names(part):
            state = torch.zeros(directions * part["layers"], batch, state_size(part, name), dtype=dtype)
            if not zero_states:
                state.normal_()
                # In a model with other layers the second direction starts from zero.
                state[1::2] *= 0.0 if part["bidirectional"] and len(case["parts"]) > 1 else 1.0
            run[f"{part['path']}/{name}"] = state
    with torch.no_grad():
        results = net(run)
    for name, value in results.items():
        run[f"d_{name}"] = torch.randn(value.shape, dtype=dtype)
    for part in recurrent_parts(case["parts"]):
        for name in state_names(part):
            if part["bidirectional"] and len(case["parts"]) > 1:
                # And the last state of the second direction is not one of longhand's results.
                run[f"d_{part['path']}/{name.replace('_0', '_n')}"][1::2] = 0.0
    if results["output"].shape[1 if case["batch_first"] else 0] > 1 or steps == 1:
        # The padding has no gradient.
        valid = torch.arange(steps)[None, :] < lengths[:, None]
        valid = valid if case["batch_first"] else valid.T
        run["d_output"] *= valid[:, :, None].to(dtype)
    return run


def write(folder, name, case, rng):
    torch.manual_seed(rng.randrange(2**31))
    net = Net(case)
    run = inputs_of_run(rng, net, case)
    results = run_with_gradients(net, run)
    rounding = rounding_of(net, case, run, results)
    run |= results
    tensors = {f"run.{key}": value for key, value in run.items()} | net.target().state_dict()
    tensors = {key: value.contiguous().clone() for key, value in tensors.items()}
    save_file(tensors, folder / f"{name}.safetensors", metadata={"case": json.dumps(case), "rounding": json.dumps(rounding)})


def rounding_of(net, case, run, results):
    """What rounding to single precision changes in each result, divided by its largest element, where that is more than 5e-8.

    The larger one of two changes: PyTorch's own, from the double-precision run of the same module to `results`, and that of the
    double-precision run when every parameter and input moves by half of its last digit in single precision. Results in which large
    numbers cancel lose digits in any program.
    """
    double = Net(case | {"precision": "f64"})
    double.target().load_state_dict(net.target().state_dict())
    run = {key: to_double(value) for key, value in run.items()}
    exact = run_with_gradients(double, run)
    changed = [results]
    for _ in range(4):
        double.target().load_state_dict({key: moved(value) for key, value in net.target().state_dict().items()})
        changed.append(run_with_gradients(double, {key: moved(value) for key, value in run.items()}))
    rounding = {}
    for key, value in exact.items():
        difference = max((other[key] - value).abs().max().item() for other in changed)
        largest = value.abs().max().item()
        if difference > 5e-8 * largest:
            rounding[key] = float(f"{difference / largest:.1e}")
    return rounding


def moved(tensor):
    """In double precision, each element moved up or down by 2^-24 of itself."""
    if not tensor.is_floating_point():
        return tensor
    tensor = tensor.double()
    return tensor + 2.0**-24 * tensor * (torch.randint(2, tensor.shape) * 2 - 1)


def to_double(tensor):
    return tensor.double() if tensor.is_floating_point() else tensor


def write_refused(folder):
    """Files that are refused: pickles, and an LSTM with a projection."""
    torch.manual_seed(0)
    state = nn.Linear(1, 1).state_dict()
    torch.save(state, folder / "linear.pt")
    torch.save(state, folder / "linear-before-1.6.pt", _use_new_zipfile_serialization=False)
    projection = nn.LSTM(3, 4, num_layers=2, proj_size=2)
    save_file(projection.state_dict(), folder / "projection.safetensors")


def main():
    arguments = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    arguments.add_argument("--folder", type=pathlib.Path, help="where other random modules are written")
    arguments.add_argument("--seed", type=int, default=1)
    arguments.add_argument("--count", type=int, default=100, help="how many other random modules")
    arguments = arguments.parse_args()
    torch.set_num_threads(1)
    rng, folder = random.Random(arguments.seed), arguments.folder or HERE / "files"
    folder.mkdir(parents=True, exist_ok=True)
    if arguments.folder:
        cases = random_cases(rng, arguments.count)
    else:
        cases = repository_cases(rng).items()
        (HERE / "refused").mkdir(exist_ok=True)
        write_refused(HERE / "refused")
    for name, case in cases:
        write(folder, name, case, rng)


if __name__ == "__main__":
    main()
