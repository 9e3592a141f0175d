"""A Python worker: answers the requests of compare.py, one line of JSON each."""

import gc
import json
import os
import statistics
import sys
import time

from workloads import Workload


def pin():
    """Pins this process and its future threads to its cores; returns the number of threads. Must be called before a
    framework is imported, because frameworks size their thread pools by the visible cores at import."""
    if cores := os.environ.get("PEER_CORES"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    return int(os.environ.get("PEER_THREADS", "1"))


class Job:
    """A workload implemented with one framework, in one form."""

    def restart(self):
        """Restores the initial weights and discards the optimizer's state."""

    def run(self, steps):
        """Executes this number of steps and waits for their end."""
        raise NotImplementedError

    def values(self):
        """The losses of the last program, or the logits of the last step. The classes of a sequence are adjacent."""
        raise NotImplementedError

    # Steps per program; `run` is called with multiples of it.
    granularity = 1


def timed(job, steps):
    """Restarts the job and returns the time of `steps` steps in seconds."""
    job.restart()
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    job.run(steps)
    taken = time.perf_counter() - start
    gc.enable()
    return taken


def steps_in(job, rate, seconds):
    """Number of steps in about `seconds`, a multiple of the program's steps."""
    return max(1, round(rate * seconds / job.granularity)) * job.granularity


def rate_of(job, seconds=0.2):
    """Measures steps per second, doubling the number of steps until they take long enough. The first steps also compile
    and warm up."""
    job.run(job.granularity)
    steps = job.granularity
    while (taken := timed(job, steps)) < seconds / 2:
        steps *= 2
    return steps / taken


def fastest(forms):
    """Returns name, job and rate of the fastest form of a workload. The forms are timed alternately, so that a
    temporary slowdown affects all of them."""
    rates = {name: rate_of(job) for name, job in forms.items()}
    if len(forms) > 1:
        turns = {name: [] for name in forms}
        for _ in range(7):
            for name, job in forms.items():
                steps = steps_in(job, rates[name], 0.15)
                turns[name].append(steps / timed(job, steps))
        rates = {name: statistics.median(turn) for name, turn in turns.items()}
        shown = ", ".join(f"{name} {rate:.0f}" for name, rate in sorted(rates.items(), key=lambda item: -item[1]))
        print(f"    steps per second: {shown}", file=sys.stderr, flush=True)
    name = max(rates, key=rates.get)
    return name, forms[name], rates[name]


def first_values(job, workload, steps):
    """Returns the values of the first steps: one loss per step, or all logits of each step."""
    job.restart()
    values = []
    for _ in range(-(-steps // job.granularity)):
        job.run(job.granularity)
        values += job.values()
    return values[:steps] if workload.kind in ("study", "train") else values


def serve(framework, version, forms_of):
    """Answers requests until the input ends. `forms_of` returns the forms of a workload by name."""
    current, form, job, rate = None, "", None, 0.0
    for line in sys.stdin:
        request = json.loads(line)
        if request["request"] == "hello":
            answer = {"framework": framework, "version": version}
        else:
            workload = Workload(name="", **request["workload"])
            if workload != current:
                job = None
                form, job, rate = fastest(forms_of(workload))
                current = workload
            if request["request"] == "check":
                answer = {"values": first_values(job, workload, request["steps"]), "form": form}
            else:
                steps = steps_in(job, rate, request["seconds"])
                taken = timed(job, steps)
                rate = steps / taken
                answer = {"count": steps * workload.batch, "seconds": taken}
        print(json.dumps(answer), flush=True)
