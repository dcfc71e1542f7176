"""Results that were never measured."""

from streamtag.benchmark.live_streams import LiveStreams


def live(streams: int, *, in_real_time: bool = True, seconds: float = 10.0) -> LiveStreams:
    """What so many streams might have done."""
    return LiveStreams(
        streams=streams,
        cores=1,
        block_ms=960.0,
        seconds=seconds,
        patches=10 * streams,
        expected_patches=10 * streams if in_real_time else 20 * streams,
        dropped_patches=0 if in_real_time else 10 * streams,
        dropped_percent_least=0.0 if in_real_time else 49.0,
        dropped_percent_most=0.0 if in_real_time else 51.0,
        missed_messages=0,
        latency_ms_p50=3.0,
        latency_ms_p95=4.0,
        latency_ms_p99=5.0 if in_real_time else None,
        latency_ms_max=6.0,
        pushed_late_ms_p99=0.1,
        cpu_percent=streams * 0.04,
        cpu_ms_a_patch=0.4,
        memory_mb=100.0,
        sustainable_streams=2000,
        in_real_time=in_real_time,
    )
