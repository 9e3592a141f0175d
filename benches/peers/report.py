"""The table and the JSON file of a comparison."""

import json
import platform
import statistics
from dataclasses import asdict, dataclass
from pathlib import Path

from workloads import Workload


@dataclass
class Result:
    """The measurements of one workload: one rate per round and framework."""

    workload: Workload
    rates: dict
    busy: dict
    forms: dict
    difference: float

    def median(self, framework):
        """Returns the median rate of the rounds."""
        return statistics.median(self.rates[framework])

    def ratio(self, framework):
        """Returns the median of the rounds' ratios of longhand's rate to the framework's. Both rates of a round were
        measured within seconds."""
        return statistics.median(own / other for own, other in zip(self.rates["longhand"], self.rates[framework]))


def line(result):
    """Formats a result as one line, for progress output."""
    shown = (f"{framework} {cell(result, framework)}" for framework in result.rates)
    return f"    {', '.join(shown)}; first values agree to {result.difference:.0e}"


def cell(result, framework):
    """Formats a framework's speed, and the ratio of longhand's speed to it."""
    if framework not in result.rates:
        return ""
    rate = result.median(framework)
    speed = f"{1e9 / rate:,.0f} ns" if result.workload.kind == "stream" else f"{rate:,.0f}"
    if framework == "longhand" or "longhand" not in result.rates:
        return speed
    return f"{speed} ({result.ratio(framework):.2f} x)"


def table(results, frameworks):
    """Formats the table in Markdown."""
    rows = [["workload", *frameworks], ["---", *["---:"] * len(frameworks)]]
    rows += [[result.workload.name, *(cell(result, framework) for framework in frameworks)] for result in results]
    return "\n".join(f"| {' | '.join(row)} |" for row in rows)


def cpu():
    """Returns the processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def notes(options, versions, results, tolerance):
    """Yields the notes below the table."""
    threads = "one thread on one core" if options.threads == 1 else f"up to {options.threads} threads and cores"
    yield (
        "Sequences of 150 steps per second, higher is better (streams: nanoseconds per step, lower is better), median "
        f"of {options.rounds} rounds of about {options.seconds:g} s. In brackets: longhand's speed relative to the "
        "framework's (above 1, longhand is faster), median of the rounds' ratios."
    )
    largest = max(result.difference for result in results)
    memory = "default memory settings of the C library" if options.default_malloc else "memory kept between steps"
    yield (
        f"{cpu()}; {threads} per framework, alternating between frameworks; f32; {memory}. "
        + ", ".join(f"{framework} {version}" for framework, version in versions.items())
        + f". First losses and logits agreed to {largest:.0e} (tolerance: {tolerance:.0e})."
    )
    for result in results:
        chosen = [f"{framework}: {form}" for framework, form in result.forms.items() if form]
        if chosen:
            yield f"- {result.workload.name}: {'; '.join(chosen)}"
        shares = {framework: statistics.median(busy) for framework, busy in result.busy.items() if busy}
        above = {framework: share for framework, share in shares.items() if share > 1.1 * options.threads}
        below = {framework: share for framework, share in shares.items() if share < 0.9}
        if above:
            shown = ", ".join(f"{framework} {share:.1f}" for framework, share in above.items())
            yield f"- {result.workload.name}: **more cores used than allowed: {shown}**"
        if below:
            shown = ", ".join(f"{framework} {share:.0%}" for framework, share in below.items())
            yield f"- {result.workload.name}: another process used the core; share of the core per framework: {shown}"


def write(options, versions, results, tolerance):
    """Prints the table, writes it to `comparison.md`, and writes all measurements to `comparison.json`."""
    text = table(results, list(versions)) + "\n\n" + "\n".join(notes(options, versions, results, tolerance)) + "\n"
    options.out.mkdir(parents=True, exist_ok=True)
    (options.out / "comparison.md").write_text(text)
    everything = {
        "cpu": cpu(),
        "threads": options.threads,
        "default_malloc": options.default_malloc,
        "rounds": options.rounds,
        "seconds": options.seconds,
        "versions": versions,
        "tolerance": tolerance,
        "results": [
            {
                "workload": asdict(result.workload),
                "rates": result.rates,
                "cores_used": result.busy,
                "median": {framework: result.median(framework) for framework in result.rates},
                "ours_over_theirs": {
                    framework: result.ratio(framework)
                    for framework in result.rates
                    if framework != "longhand" and "longhand" in result.rates
                },
                "forms": result.forms,
                "largest_difference": result.difference,
            }
            for result in results
        ],
    }
    (options.out / "comparison.json").write_text(json.dumps(everything, indent=2) + "\n")
    print(text)
