"""The command: ``python -m benchmarks steps``, from the root of the repository.

What measures is imported only when it is asked for: processes that are spawned to be
measured import this module too.
"""

import argparse
import sys
from pathlib import Path
from typing import Any, NoReturn, final

from benchmarks.workloads import WORKLOADS, BenchmarkError, named


@final
class _Parser(argparse.ArgumentParser):
    """A parser that tells a mistake in one line."""

    def error(self, message: str) -> NoReturn:
        self.exit(2, f"{self.prog}: {message}; see --help\n")


def main(arguments: list[str] | None = None) -> int:
    """Run a benchmark and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        for path in (options.json, options.plot):
            _check_writable(path)
        from benchmarks.contestants import check_engine, missing
        from benchmarks.machine import describe
        from benchmarks.report import console, write_json

        check_engine(options.engine)
        for title in missing():
            console.print(f"{title} is not installed and is left out", style="yellow")
        data: dict[str, Any] = {"machine": describe(), "engine": options.engine}
        for name in _JOBS if options.command == "all" else [options.command]:
            data[name] = _JOBS[name](options, data["machine"])
            if options.json:
                write_json(options.json, data)
    except BenchmarkError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(prog="benchmarks", description="weft side by side with its peers.")
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--engine", default="auto", help="weft's engine (auto)")
    common.add_argument(
        "--quick", action="store_true", help="a look with few repeats, no measurement"
    )
    common.add_argument("--json", type=Path, metavar="FILE", help="write results here")
    common.set_defaults(plot=None, only=None)
    race = argparse.ArgumentParser(add_help=False)
    known = ",".join(workload.name for workload in WORKLOADS)
    race.add_argument("--only", metavar="NAMES", help=f"workloads, of {known}")
    race.add_argument("--plot", type=Path, metavar="FILE", help="draw a PNG here")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    for name, help_text, parents in (
        ("steps", "microseconds per step beside the peers", [common, race]),
        ("start", "import times and first steps", [common]),
        ("memory", "memory added by training", [common]),
        ("fits", "whole fits with scikit-learn's estimators", [common]),
        ("growth", "how weft's costs grow, with exponents", [common]),
        ("all", "all of these", [common, race]),
    ):
        commands.add_parser(name, help=help_text, parents=parents)
    return parser


def _check_writable(path: Path | None) -> None:
    if path is not None and (path.is_dir() or not path.absolute().parent.is_dir()):
        raise BenchmarkError(f"{path} cannot be written: name a file in a folder")


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _steps(options: argparse.Namespace, machine: dict[str, Any]) -> Any:
    from benchmarks import report, steps

    names = options.only.split(",") if options.only else [w.name for w in WORKLOADS]
    results = steps.measure(named(names), options.engine, options.quick, _say)
    report.console.print(report.steps(results))
    if options.plot:
        from benchmarks import plot

        plot.draw(results, machine, options.plot)
    return [result.as_data() for result in results]


def _start(options: argparse.Namespace, machine: dict[str, Any]) -> Any:
    from benchmarks import report, start

    result = start.measure(options.engine, options.quick, _say)
    report.console.print(report.start(result))
    return result.as_data()


def _memory(options: argparse.Namespace, machine: dict[str, Any]) -> Any:
    from benchmarks import memory, report

    found, left_out = memory.measure(options.engine, options.quick, _say)
    report.console.print(report.memory(found, left_out))
    return {"found": [each.as_data() for each in found], "left_out": left_out}


def _fits(options: argparse.Namespace, machine: dict[str, Any]) -> Any:
    from benchmarks import fits, report

    found, left_out = fits.measure(options.engine, options.quick, _say)
    report.console.print(report.fits(found, left_out))
    return {
        "found": [each.as_data() for each in found],
        "ratios": fits.ratios(found),
        "left_out": left_out,
    }


def _growth(options: argparse.Namespace, machine: dict[str, Any]) -> Any:
    from benchmarks import growth, report

    found = growth.measure(options.engine, options.quick, _say)
    report.console.print(report.growth(found))
    return [each.as_data() for each in found]


_JOBS = {
    "steps": _steps,
    "start": _start,
    "memory": _memory,
    "fits": _fits,
    "growth": _growth,
}


if __name__ == "__main__":
    sys.exit(main())
