#!/usr/bin/env python3
"""Loads state dicts that longhand wrote into the modules of PyTorch, and compares a run of each; see `pytorch.rs`.

    python check.py FOLDER

Two tensors differ by the largest difference of two elements, divided by the largest element. The limit is 1e-12 in double precision.
In single precision it is 1e-6, plus four times what rounding changes in PyTorch's own result (`rounding_of` in `write.py`).
"""

import json
import pathlib
import sys

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from nets import PRECISIONS, Net, recurrent_parts, run_with_gradients
from write import rounding_of


def check(path):
    """The differences of a file: what differs, by how much, and the limit."""
    with safe_open(path.with_suffix(".run"), "pt") as file:
        case = json.loads(file.metadata()["case"])
        expected = {name: file.get_tensor(name) for name in file.keys()}
    dtype = PRECISIONS[case["precision"]]
    integers = {"lengths"} | ({"input"} if case["inputs"] is None else set())
    expected = {name: tensor.to(torch.int64 if name in integers else dtype) for name, tensor in expected.items()}

    net = Net(case)
    net.target().load_state_dict(load_file(path), strict=True)
    given = {name: tensor for name, tensor in expected.items() if is_given(name)}
    results = run_with_gradients(net, given)
    rounding = rounding_of(net, case, given, results) if case["precision"] == "f32" else {}
    assert set(results) | set(given) == set(expected), set(results) ^ (set(expected) - set(given))

    both = {part["path"] for part in recurrent_parts(case["parts"]) if part["bidirectional"] and len(case["parts"]) > 1}
    for name, result in results.items():
        if "/" in name and name.removeprefix("d_").split("/")[0] in both:
            # The carry of a model with other layers is that of the forward direction.
            result[1::2] = 0.0
        difference, largest = (result - expected[name]).abs().max().item(), result.abs().max().item()
        limit = 1e-12 if case["precision"] == "f64" else 1e-6 + 4 * rounding.get(name, 0.0)
        yield f"{path.stem}: {name}", case["precision"], difference / largest if difference else 0.0, limit


def is_given(name):
    if name.startswith("d_"):
        return name.endswith("_n") or name == "d_output"
    return name in ("input", "lengths") or name.endswith("/h_0") or name.endswith("/c_0")


def main():
    torch.set_num_threads(1)
    folder = pathlib.Path(sys.argv[1])
    files = sorted(folder.glob("*.safetensors"))
    assert files, f"there are no files in {folder}"
    differences = [difference for path in files for difference in check(path)]
    for precision in ("f32", "f64"):
        largest = max((difference for _, of, difference, _ in differences if of == precision), default=0.0)
        print(f"{len(files)} models of longhand: the largest relative difference in {precision} is {largest:.1e}")
    wrong = [f"{name} differs by {difference:.1e}" for name, _, difference, limit in differences if not difference <= limit]
    sys.exit("\n".join(wrong) or None)


if __name__ == "__main__":
    main()
