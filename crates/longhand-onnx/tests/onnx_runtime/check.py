"""Compares exported models in ONNX Runtime with the library.

    python check.py FOLDER

FOLDER has the cases that the example `onnx_cases` writes. Each is checked by `onnx.checker`, run as a whole, run with its first sequence
alone, and, if it has states, run step by step. Padding is filled with NaN or with ids that are not in any table. Outputs and final states must agree to 1e-5,
absolute plus relative.
"""

import json
import pathlib
import sys

import numpy as np
import onnx
import onnxruntime

TOLERANCE = 1e-5


def array(value, dtype):
    return np.array(value["values"], dtype=dtype).reshape(value["shape"])


def difference(given, expected, what):
    """The largest difference, as a multiple of the tolerance."""
    if given.shape != expected.shape:
        raise AssertionError(f"{what}: the shape is {given.shape}, expected {expected.shape}")
    allowed = TOLERANCE * (1 + np.abs(expected))
    ratio = np.max(np.abs(given - expected) / allowed, initial=0.0)
    if not ratio <= 1:
        raise AssertionError(f"{what}: the difference is {ratio:.3g} times the tolerance")
    return ratio


def run(session, inputs, states):
    """One call: the output and the final states."""
    feed = {**inputs, **{f"initial_state.{i}": state for i, state in enumerate(states)}}
    names = ["output", *(f"final_state.{i}" for i in range(len(states)))]
    output, *states = session.run(names, feed)
    return output, states


def operators(graph):
    """The names of all operators, those in the bodies of loops included."""
    names = {node.op_type for node in graph.node}
    bodies = (attribute.g for node in graph.node for attribute in node.attribute if attribute.HasField("g"))
    return names.union(*map(operators, bodies))


def check(path):
    case = json.loads(path.with_suffix(".json").read_text())
    model = onnx.load(path)
    onnx.checker.check_model(model, full_check=True)
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])

    is_ids = len(case["input"]["shape"]) == 2
    x = array(case["input"], np.int64 if is_ids else np.float32)
    batch, time = x.shape[:2]
    inputs = {"input": x}
    if case["lengths"] is not None:
        lengths = np.array(case["lengths"], dtype=np.int64)
        x[np.arange(time) >= lengths[:, None]] = 1_000_000 if is_ids else np.nan
        inputs["lengths"] = lengths
    initial = [array(state, np.float32) for state in case["initial_states"]]

    output, final = run(session, inputs, initial)
    worst = difference(output, array(case["output"], np.float32), "output")
    for i, (given, expected) in enumerate(zip(final, case["final_states"], strict=True)):
        worst = max(worst, difference(given, array(expected, np.float32), f"final state {i}"))

    first, _ = run(session, {name: value[:1] for name, value in inputs.items()}, [state[:1] for state in initial])
    worst = max(worst, difference(first, output[:1], "the first sequence alone"))

    if case["one_by_one"] is not None:
        states = initial
        for step, expected in enumerate(case["one_by_one"]["outputs"]):
            inputs = {"input": x[:, step : step + 1]}
            if case["lengths"] is not None:
                inputs["lengths"] = (step < lengths).astype(np.int64)
            y, states = run(session, inputs, states)
            worst = max(worst, difference(y, array(expected, np.float32), f"output of step {step}"))
            if "LastStep" not in case["model"]:
                worst = max(worst, difference(y, output[:, step : step + 1], f"step {step} against the whole"))
        for i, (given, expected) in enumerate(zip(states, case["one_by_one"]["final_states"], strict=True)):
            worst = max(worst, difference(given, array(expected, np.float32), f"state {i} after single steps"))
    return worst, case["one_by_one"] is not None, operators(model.graph)


def main():
    folder = pathlib.Path(sys.argv[1])
    paths = sorted(folder.glob("*.onnx"))
    if not paths:
        sys.exit(f"there are no cases in {folder}")
    failures, worst, streamed, used = 0, 0.0, 0, set()
    for path in paths:
        try:
            ratio, streams, names = check(path)
            worst, streamed, used = max(worst, ratio), streamed + streams, used | names
        except Exception as error:
            failures += 1
            name = json.loads(path.with_suffix(".json").read_text())["model"]
            print(f"{path.name}: {name}: {error}")
    print(f"onnxruntime {onnxruntime.__version__}, onnx {onnx.__version__}, numpy {np.__version__}")
    print(f"{len(paths)} models, {streamed} of them step by step as well; operators: {', '.join(sorted(used))}")
    print(f"the largest difference is {worst * TOLERANCE:.1e}, absolute plus relative; allowed is {TOLERANCE:.0e}")
    if failures:
        sys.exit(f"{failures} models failed")


if __name__ == "__main__":
    main()
