"""A Python worker: answers the requests of compare.py, one line of JSON each."""

import gc
import json
import os
import statistics
import sys
import time

from workloads import Workload


def pin():
    """Keeps this process, and every thread it will start, on the cores it was given; called before a framework is
    imported, since each sizes its thread pools by what it sees then."""
    if cores := os.environ.get("PEER_CORES"):
        os.sched_setaffinity(0, {int(core) for core in cores.split(",")})
    return int(os.environ.get("PEER_THREADS", "1"))


class Job:
    """A workload made ready by one framework, in one form of its code."""

    def restart(self):
        """Back to the initial weights, the optimizer forgotten."""

    def run(self, steps):
        """That many steps, waited for."""
        raise NotImplementedError

    def values(self):
        """The losses of the last program run, or the logits of the last step, class by class within a sequence."""
        raise NotImplementedError

    # Steps that one program makes; `run` is asked for multiples of it.
    granularity = 1


def timed(job, steps):
    """Seconds that so many steps take, from the start."""
    job.restart()
    gc.collect()
    gc.disable()
    start = time.perf_counter()
    job.run(steps)
    taken = time.perf_counter() - start
    gc.enable()
    return taken


def steps_in(job, rate, seconds):
    """About as many steps as fit, in whole programs."""
    return max(1, round(rate * seconds / job.granularity)) * job.granularity


def rate_of(job, seconds=0.2):
    """Steps a second, from as many steps as fit, doubling: the first ones also compile and warm up."""
    job.run(job.granularity)
    steps = job.granularity
    while (taken := timed(job, steps)) < seconds / 2:
        steps *= 2
    return steps / taken


def fastest(forms):
    """The fastest of several forms of one workload, timed in turn so that a slow moment slows them all."""
    rates = {name: rate_of(job) for name, job in forms.items()}
    if len(forms) > 1:
        turns = {name: [] for name in forms}
        for _ in range(7):
            for name, job in forms.items():
                steps = steps_in(job, rates[name], 0.15)
                turns[name].append(steps / timed(job, steps))
        rates = {name: statistics.median(turn) for name, turn in turns.items()}
        shown = ", ".join(f"{name} {rate:.0f}" for name, rate in sorted(rates.items(), key=lambda item: -item[1]))
        print(f"    steps a second: {shown}", file=sys.stderr, flush=True)
    name = max(rates, key=rates.get)
    return name, forms[name], rates[name]


def first_values(job, workload, steps):
    """The values of the first steps: one loss a step, or all the logits of each."""
    job.restart()
    values = []
    for _ in range(-(-steps // job.granularity)):
        job.run(job.granularity)
        values += job.values()
    return values[:steps] if workload.kind in ("study", "train") else values


def serve(framework, version, forms_of):
    """Answers requests until the input ends. `forms_of` gives the forms of a workload by name."""
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
