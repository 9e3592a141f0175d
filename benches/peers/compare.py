"""Runs the same workloads in longhand and its peers, alternately, and writes a table. See README.md in this folder."""

import argparse
import fnmatch
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import report
from workloads import WORKLOADS

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
FRAMEWORKS = ("longhand", "jax", "torch", "burn", "candle")
# Tolerance of first losses and logits, relative to the larger of 1 and both magnitudes.
TOLERANCE = 2e-5


class Worker:
    """The process of one framework. Requests and answers are lines of JSON; it sleeps between requests."""

    def __init__(self, framework, command, environment):
        self.framework = framework
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=HERE
        )
        self.version = self.ask({"request": "hello"})["version"]

    def ask(self, request):
        """Sends a request and returns the answer; exits if the process has stopped."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"{self.framework} stopped with status {self.process.wait()} at request {request}")
        return json.loads(line)

    def processor_seconds(self):
        """Processor time in seconds that all threads have used so far, or None without /proc."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """Stops the process."""
        self.process.stdin.close()
        self.process.wait()


def build(frameworks):
    """Builds the Rust workers in release mode."""
    cargo = ["cargo", "build", "--release", "--locked"]
    if "longhand" in frameworks:
        subprocess.run([*cargo, "-p", "longhand-benches", "--bin", "peer"], cwd=ROOT, check=True)
    if {"burn", "candle"} & set(frameworks):
        # Their element-wise loops use the SIMD instructions of the target; longhand selects SIMD at run time.
        environment = {**os.environ, "RUSTFLAGS": "-C target-cpu=native"}
        target = ["--target-dir", str(ROOT / "target" / "peers")]
        manifest = ["--manifest-path", str(HERE / "rust" / "Cargo.toml")]
        subprocess.run([*cargo, *manifest, *target], env=environment, check=True)


# By default, glibc returns large buffers to the system after each step, and the system must clear the pages again. This
# nearly doubles the time of a large step in JAX. With these settings, glibc keeps the buffers, in huge pages.
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def environment(threads, use_compile, memory):
    """Returns environment variables that limit every thread pool to `threads`, and the C library's memory settings."""
    pools = ("OMP", "MKL", "OPENBLAS", "RAYON", "NUMEXPR")
    cores = sorted(os.sched_getaffinity(0))[-threads:] if hasattr(os, "sched_getaffinity") else []
    return {
        **os.environ,
        **memory,
        **{f"{pool}_NUM_THREADS": str(threads) for pool in pools},
        "PEER_THREADS": str(threads),
        "PEER_CORES": ",".join(map(str, cores)),
        "PEER_COMPILE": "1" if use_compile else "0",
    }


def start(framework, environment):
    """Starts the worker of a framework on its cores."""
    if framework in ("jax", "torch"):
        command = [sys.executable, str(HERE / f"peer_{framework}.py")]
    elif framework == "longhand":
        target = os.environ.get("CARGO_TARGET_DIR", "target")
        command = [str(ROOT / target / "release" / "peer")]
    else:
        command = [str(ROOT / "target" / "peers" / "release" / "longhand-peers"), framework]
    if cores := environment["PEER_CORES"]:
        # A child process and its threads inherit the cores of the parent.
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
        try:
            return Worker(framework, command, environment)
        finally:
            os.sched_setaffinity(0, before)
    return Worker(framework, command, environment)


def check(workload, workers):
    """Exits unless the first losses or logits of all frameworks agree. Returns the form that each framework selected,
    and the largest difference."""
    answers = {
        worker.framework: worker.ask(
            {"request": "check", "workload": workload.request(), "steps": workload.checked_steps()}
        )
        for worker in workers
    }
    (first, reference), *others = answers.items()
    largest = 0.0
    for other, answer in others:
        if len(answer["values"]) != len(reference["values"]):
            counts = f"{first} returned {len(reference['values'])} values, {other} {len(answer['values'])}"
            sys.exit(f"{workload.name}: {counts}")
        for step, (a, b) in enumerate(zip(reference["values"], answer["values"])):
            difference = abs(a - b) / max(1.0, abs(a), abs(b))
            if not difference <= TOLERANCE:
                values = f"{a} and {b} (tolerance {TOLERANCE})"
                sys.exit(f"{workload.name}: {first} and {other} differ at value {step}: {values}")
            largest = max(largest, difference)
    return {framework: answer["form"] for framework, answer in answers.items()}, largest


def measure(workload, workers, rounds, seconds):
    """Measures sequences (or streaming steps) per second, alternating between the frameworks. Returns one rate per
    round and framework, and the number of cores used."""
    rates = {worker.framework: [] for worker in workers}
    busy = {worker.framework: [] for worker in workers}
    for turn in range(rounds):
        # Each round starts with another framework.
        for worker in workers[turn % len(workers) :] + workers[: turn % len(workers)]:
            before, start = worker.processor_seconds(), time.perf_counter()
            answer = worker.ask({"request": "measure", "workload": workload.request(), "seconds": seconds})
            taken = time.perf_counter() - start
            rates[worker.framework].append(answer["count"] / answer["seconds"])
            if before is not None:
                busy[worker.framework].append((worker.processor_seconds() - before) / taken)
    return rates, busy


def arguments():
    """Parses the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="number of rounds (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.7, help="seconds per round (default: %(default)s)")
    parser.add_argument("--workloads", default="*", help="names or patterns, separated by commas (default: all)")
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS), help="names, separated by commas (default: all)")
    parser.add_argument("--threads", type=int, default=1, help="threads and cores per framework (default: %(default)s)")
    parser.add_argument("--no-compile", action="store_true", help="skip torch.compile, which takes minutes")
    parser.add_argument("--default-malloc", action="store_true", help="use the default settings of the C library")
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "peers", help="folder for the table")
    return parser.parse_args()


def main():
    """Builds and starts the workers, checks and measures each workload, and writes the table."""
    options = arguments()
    frameworks = [name for name in FRAMEWORKS if name in options.frameworks.split(",")]
    patterns = options.workloads.split(",")
    chosen = [w for w in WORKLOADS if any(fnmatch.fnmatch(w.name, pattern) for pattern in patterns)]
    if unknown := set(options.frameworks.split(",")) - set(FRAMEWORKS):
        sys.exit(f"unknown framework: {', '.join(sorted(unknown))}; expected some of {', '.join(FRAMEWORKS)}")
    if not chosen:
        sys.exit(f"unknown workload: {options.workloads}; expected some of {', '.join(w.name for w in WORKLOADS)}")
    build(frameworks)
    memory = {} if options.default_malloc else KEEP_MEMORY
    variables = environment(options.threads, not options.no_compile, memory)
    workers = [start(name, variables) for name in frameworks]
    results = []
    for workload in chosen:
        taking_part = [worker for worker in workers if worker.framework in ("longhand", *workload.peers)]
        print(f"{workload.name}: {', '.join(worker.framework for worker in taking_part)}", file=sys.stderr, flush=True)
        forms, difference = check(workload, taking_part)
        rates, busy = measure(workload, taking_part, options.rounds, options.seconds)
        results.append(report.Result(workload, rates, busy, forms, difference))
        print(report.line(results[-1]), file=sys.stderr, flush=True)
    versions = {worker.framework: worker.version for worker in workers}
    for worker in workers:
        worker.stop()
    report.write(options, versions, results, TOLERANCE)


if __name__ == "__main__":
    main()
