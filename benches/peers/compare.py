"""Runs the same workloads in longhand and its peers, in turn, and writes one table. See README.md beside this file."""

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
# First losses and logits are compared to this, relative to 1 or to the larger of the two.
TOLERANCE = 2e-5


class Worker:
    """One process a framework, asked and answering by lines of JSON; it sleeps while others run."""

    def __init__(self, framework, command, environment):
        self.framework = framework
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment, cwd=HERE
        )
        self.version = self.ask({"request": "hello"})["version"]

    def ask(self, request):
        """The answer to one request."""
        try:
            self.process.stdin.write(json.dumps(request) + "\n")
            self.process.stdin.flush()
            line = self.process.stdout.readline()
        except BrokenPipeError:
            line = ""
        if not line:
            sys.exit(f"{self.framework} stopped with status {self.process.wait()} at {request}")
        return json.loads(line)

    def processor_seconds(self):
        """Processor time that all its threads have used so far, or None where the system does not tell."""
        try:
            fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        except OSError:
            return None
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        """Ends it."""
        self.process.stdin.close()
        self.process.wait()


def build(frameworks):
    """Builds the Rust workers in release."""
    cargo = ["cargo", "build", "--release", "--locked"]
    if "longhand" in frameworks:
        subprocess.run([*cargo, "-p", "longhand-benches", "--bin", "peer"], cwd=ROOT, check=True)
    if {"burn", "candle"} & set(frameworks):
        # Their loops over elements have the vector instructions they were compiled with; ours choose at run time.
        environment = {**os.environ, "RUSTFLAGS": "-C target-cpu=native"}
        target = ["--target-dir", str(ROOT / "target" / "peers")]
        manifest = ["--manifest-path", str(HERE / "rust" / "Cargo.toml")]
        subprocess.run([*cargo, *manifest, *target], env=environment, check=True)


# glibc hands large buffers back to the system after each step, which must then clear as many pages anew: that alone
# nearly doubles the time of a large step in JAX. With these it keeps them, in large pages.
KEEP_MEMORY = {
    "MALLOC_MMAP_MAX_": "0",
    "MALLOC_TRIM_THRESHOLD_": "4000000000",
    "GLIBC_TUNABLES": "glibc.malloc.hugetlb=1",
}


def environment(threads, compiles, memory):
    """Every pool of threads that a framework might start held to as many cores, and what the C library does with memory."""
    pools = ("OMP", "MKL", "OPENBLAS", "RAYON", "NUMEXPR")
    cores = sorted(os.sched_getaffinity(0))[-threads:] if hasattr(os, "sched_getaffinity") else []
    return {
        **os.environ,
        **memory,
        **{f"{pool}_NUM_THREADS": str(threads) for pool in pools},
        "PEER_THREADS": str(threads),
        "PEER_CORES": ",".join(map(str, cores)),
        "PEER_COMPILE": "1" if compiles else "0",
    }


def start(framework, environment):
    """The worker of a framework, on its cores."""
    if framework in ("jax", "torch"):
        command = [sys.executable, str(HERE / f"peer_{framework}.py")]
    elif framework == "longhand":
        command = [str(ROOT / "target" / "release" / "peer")]
    else:
        command = [str(ROOT / "target" / "peers" / "release" / "longhand-peers"), framework]
    if cores := environment["PEER_CORES"]:
        # A child keeps the cores of its parent, and so do all its threads.
        before = os.sched_getaffinity(0)
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
        try:
            return Worker(framework, command, environment)
        finally:
            os.sched_setaffinity(0, before)
    return Worker(framework, command, environment)


def check(workload, workers):
    """Stops unless all frameworks have the same first losses, or logits; returns what form each chose, and how far
    they were apart."""
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
            sys.exit(f"{workload.name}: {first} and {other} answer with different numbers of values")
        for step, (a, b) in enumerate(zip(reference["values"], answer["values"])):
            difference = abs(a - b) / max(1.0, abs(a), abs(b))
            if not difference <= TOLERANCE:
                sys.exit(f"{workload.name}: {first} and {other} differ at value {step}: {a} and {b}")
            largest = max(largest, difference)
    return {framework: answer["form"] for framework, answer in answers.items()}, largest


def measure(workload, workers, rounds, seconds):
    """Sequences (or steps of a stream) a second: one number a round and framework, the frameworks in turn."""
    rates = {worker.framework: [] for worker in workers}
    busy = {worker.framework: [] for worker in workers}
    for turn in range(rounds):
        # Another one goes first each time.
        for worker in workers[turn % len(workers) :] + workers[: turn % len(workers)]:
            before, start = worker.processor_seconds(), time.perf_counter()
            answer = worker.ask({"request": "measure", "workload": workload.request(), "seconds": seconds})
            taken = time.perf_counter() - start
            rates[worker.framework].append(answer["count"] / answer["seconds"])
            if before is not None:
                busy[worker.framework].append((worker.processor_seconds() - before) / taken)
    return rates, busy


def arguments():
    """What the command line says."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="turns of every framework (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=0.7, help="length of a turn (default: %(default)s)")
    parser.add_argument("--workloads", default="*", help="names or patterns, with commas between")
    parser.add_argument("--frameworks", default=",".join(FRAMEWORKS), help="with commas between (default: all)")
    parser.add_argument("--threads", type=int, default=1, help="threads and cores of each (default: %(default)s)")
    parser.add_argument("--no-compile", action="store_true", help="leave out torch.compile, which takes minutes")
    parser.add_argument("--default-malloc", action="store_true", help="leave the C library's settings as they are")
    parser.add_argument("--out", type=Path, default=ROOT / "target" / "peers", help="folder of the table")
    return parser.parse_args()


def main():
    """Builds, starts, checks, measures, writes."""
    options = arguments()
    frameworks = [name for name in FRAMEWORKS if name in options.frameworks.split(",")]
    patterns = options.workloads.split(",")
    chosen = [w for w in WORKLOADS if any(fnmatch.fnmatch(w.name, pattern) for pattern in patterns)]
    if unknown := set(options.frameworks.split(",")) - set(FRAMEWORKS):
        sys.exit(f"no such framework: {', '.join(sorted(unknown))}; there are {', '.join(FRAMEWORKS)}")
    if not chosen:
        sys.exit(f"no such workload; there are {', '.join(w.name for w in WORKLOADS)}")
    build(frameworks)
    memory = {} if options.default_malloc else KEEP_MEMORY
    surroundings = environment(options.threads, not options.no_compile, memory)
    workers = [start(name, surroundings) for name in frameworks]
    results = []
    for workload in chosen:
        able = [worker for worker in workers if worker.framework in ("longhand", *workload.peers)]
        print(f"{workload.name}: {', '.join(worker.framework for worker in able)}", file=sys.stderr, flush=True)
        forms, difference = check(workload, able)
        rates, busy = measure(workload, able, options.rounds, options.seconds)
        results.append(report.Result(workload, rates, busy, forms, difference))
        print(report.line(results[-1]), file=sys.stderr, flush=True)
    versions = {worker.framework: worker.version for worker in workers}
    for worker in workers:
        worker.stop()
    report.write(options, versions, results, TOLERANCE)


if __name__ == "__main__":
    main()
