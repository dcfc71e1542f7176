import argparse
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from streamtag.cli.arguments import Commands, count, read_config, seconds
from streamtag.cli.output import note, print_json, table

if TYPE_CHECKING:
    from streamtag.benchmark import Live, Stage, Throughput

__all__ = ["add"]

_RUNTIMES = ("auto", "onnxruntime", "openvino", "tensorrt", "torch")
_SECONDS = 20.0
_ONE_CORE_SECONDS = 5.0


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "bench",
        help="speed on this machine",
        description="Measure each stage alone, the whole path on one core, and live streams through a real service: "
        "their latency, and what they cost.",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument("--streams", metavar="N", type=count, default=1, help="live streams (default: 1)")
    parser.add_argument(
        "--seconds", metavar="S", type=seconds, default=_SECONDS, help=f"of the live part (default: {_SECONDS:g})"
    )
    parser.add_argument("--runtime", metavar="R", choices=_RUNTIMES, help=f"one of {', '.join(_RUNTIMES)}")
    parser.set_defaults(command=_run)


def _run(options: argparse.Namespace) -> None:
    from msgspec.structs import replace

    from streamtag.benchmark import describe_machine, measure_live, measure_stages, measure_throughput

    config = read_config(options)
    config = replace(config, model=replace(config.model, runtime=options.runtime or config.model.runtime))
    machine = describe_machine()
    note("measuring the stages")
    stages = measure_stages(config)
    note("measuring the whole path on one core")
    one_core = measure_throughput(config, min(options.seconds, _ONE_CORE_SECONDS))
    note(f"measuring {options.streams} live {'stream' if options.streams == 1 else 'streams'}")
    live = measure_live(config, options.streams, options.seconds)
    model = {"bundle": config.model.bundle, "runtime": config.model.runtime}
    if options.json:
        print_json(
            {
                "machine": machine,
                "model": model,
                "stages": [asdict(stage) for stage in stages],
                "one_core": asdict(one_core),
                "live": asdict(live),
            }
        )
        return
    _show(machine, stages, one_core, live)


def _show(machine: dict[str, Any], stages: "list[Stage]", one_core: "Throughput", live: "Live") -> None:
    print(f"{machine['processor']}, {machine['cores']} cores, {machine['memory_gib']} GiB; {machine['system']}")
    print(
        f"Python {machine['python']}, {', '.join(f'{name} {number}' for name, number in machine['versions'].items())}"
    )
    batches = sorted({stage.batch for stage in stages})
    cells = {(stage.name, stage.batch): f"{stage.milliseconds:.3f}" for stage in stages}
    names = list(dict.fromkeys(stage.name for stage in stages))
    title = ("ms a patch, one thread", *(f"batch {batch}" for batch in batches))
    print()
    print(table([title, *((name, *(cells[name, batch] for batch in batches)) for name in names)]), end="")
    print(
        f"\nwhole path on one core: {one_core.milliseconds:.3f} ms a patch, "
        f"{one_core.times_real_time:.0f} times real time ({one_core.patches} patches)"
    )
    print(
        f"\n{live.streams} live for {live.seconds:.0f} s: {live.patches} patches of {live.expected_patches}, "
        f"{live.dropped_patches} dropped, {live.missed_messages} messages missed"
    )
    print(
        f"last sample to subscriber: p50 {live.latency_ms_p50:.1f} ms, p95 {live.latency_ms_p95:.1f} ms, "
        f"p99 {live.latency_ms_p99:.1f} ms, max {live.latency_ms_max:.1f} ms"
    )
    print(f"service: {live.cpu_percent:.1f} % of a core, {live.memory_mb:.0f} MB")
