"""Metrics and health, asked for by HTTP as Prometheus does."""

import json
import socket
import subprocess
import urllib.error
import urllib.request
from pathlib import Path

import pytest
from prometheus_client.parser import text_string_to_metric_families

from streamtag.config import load_config
from streamtag.settings import Config
from streamtag.sinks.metrics import MetricsSink
from streamtag.sinks.web import _MOST_CONNECTIONS, Page, WebServer
from streamtag.wire import Outgoing, Publisher, ServiceHeader
from streamtag.wire.messages import Histogram
from tests.ports import free_port
from tests.real.servers import program_path, wait_until
from tests.sinks.conftest import Run
from tests.wire import samples


@pytest.fixture
def port() -> int:
    return free_port()


def settings(folder: Path, port: int, more: str = "") -> Config:
    path = folder / "live.toml"
    path.write_text(f'[metrics]\nlisten = "127.0.0.1:{port}"\n{more}\n[events.labels."Dog"]\non = 0.6\n')
    return load_config(path)


def ask(port: int, path: str, **headers: str) -> tuple[int, str]:
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers=headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def series(port: int) -> dict[str, float]:
    """Every sample, by its name and labels as Prometheus writes them."""
    found = {}
    for family in text_string_to_metric_families(ask(port, "/metrics")[1]):
        for sample in family.samples:
            labels = ",".join(f'{key}="{value}"' for key, value in sorted(sample.labels.items()))
            found[f"{sample.name}{{{labels}}}" if labels else sample.name] = sample.value
    return found


def service(*streams: str) -> Outgoing:
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.streams, header.states, header.runtime = list(streams), {"live": len(streams)}, "onnxruntime CPU int8"
    header.measures = {"batch_patches": Histogram(bounds=[1, 2], counts=[5, 3, 1], sum=16)}
    return Outgoing(header)


def test_a_service_is_told_in_the_names_that_are_promised(
    tmp_path: Path, publisher: Publisher, run: Run, port: int
) -> None:
    publisher.publish([service("porch"), samples.status(), samples.scores()])
    run(settings(tmp_path, port), publisher)
    wait_until(lambda: answers(port) and "streamtag_stream_level_dbfs{" in ask(port, "/metrics")[1], 60, "the level")
    publisher.publish([samples.event()])
    wait_until(lambda: series(port).get('streamtag_events_total{label="Dog",stream="porch"}') == 1, 60, "the event")
    found = series(port)
    build = 'device="CPU",labels_hash="c0ffee",model="default",precision="int8",runtime="onnxruntime",version="1"'
    assert found[f"streamtag_build_info{{{build}}}"] == 1
    states = {"starting": 0, "live": 1, "reconnecting": 0, "stalled": 0, "ended": 0, "failed": 0, "paused": 0}
    assert {state: found[f'streamtag_streams{{state="{state}"}}'] for state in states} == states
    assert found['streamtag_batch_patches_bucket{le="2.0"}'] == 8
    assert (found["streamtag_batch_patches_count"], found["streamtag_batch_patches_sum"]) == (9, 16)
    expected = {
        "streamtag_up": 1,
        "streamtag_patches_total": 0,
        "streamtag_dropped_patches_total": 0,
        "streamtag_lost_audio_seconds_total": 0,
        'streamtag_stream_live{stream="porch"}': 1,
        'streamtag_stream_level_dbfs{stream="porch"}': -20,
        'streamtag_stream_last_audio_timestamp_seconds{stream="porch"}': 1_000_000.5,
        'streamtag_stream_lost_audio_seconds_total{stream="porch"}': 0,
        'streamtag_stream_dropped_patches_total{stream="porch"}': 0,
        'streamtag_stream_reconnects_total{stream="porch"}': 0,
        'streamtag_label_active{label="Dog",stream="porch"}': 1,
    }
    assert {name: found[name] for name in expected} == expected
    assert "streamtag_start_time_seconds" in found
    assert "streamtag_sustainable_streams" not in found  # while it is unknown


def test_prometheus_s_own_tool_finds_nothing_to_say_about_them(
    tmp_path: Path, publisher: Publisher, run: Run, port: int
) -> None:
    publisher.publish([service("porch"), samples.status(), samples.scores(), samples.event()])
    run(settings(tmp_path, port, '[mqtt]\nhost = "127.0.0.1"\nport = 1\n[history]\npath = "h.sqlite"'), publisher)
    wait_until(lambda: answers(port) and 'streamtag_outputs_refused_total{output="mqtt"}' in series(port), 60, "sinks")
    text = ask(port, "/metrics")[1]
    done = subprocess.run(
        [program_path("promtool"), "check", "metrics"], input=text, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_above_the_limit_the_totals_alone_are_told(
    tmp_path: Path, publisher: Publisher, run: Run, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    publisher.publish([service("porch", "yard"), samples.status(), samples.status("yard")])
    run(settings(tmp_path, port, "max_streams = 1"), publisher)
    wait_until(lambda: answers(port) and series(port).get('streamtag_streams{state="live"}') == 2, 60, "the streams")
    assert not [name for name in series(port) if 'stream="' in name]
    assert caplog.text.count("max_streams = 1") == 1


def test_health_and_readiness_follow_the_service(tmp_path: Path, publisher: Publisher, run: Run, port: int) -> None:
    run(settings(tmp_path, port), publisher)
    wait_until(lambda: answers(port), 60, "the server")
    assert ask(port, "/healthz")[0] == 503  # the service was not heard yet
    publisher.publish([service()])
    wait_until(lambda: ask(port, "/healthz")[0] == 200, 60, "health")
    assert json.loads(ask(port, "/healthz")[1])["service"] is True
    assert ask(port, "/readyz")[0] == 200  # nothing is configured
    publisher.publish([service("porch"), samples.status()])
    wait_until(lambda: ask(port, "/readyz")[0] == 503, 60, "a stream that is not scored yet")
    scored = samples.scores()
    scored.header.time = 4e9
    publisher.publish([scored])
    wait_until(lambda: ask(port, "/readyz")[0] == 200, 60, "readiness")


def test_another_site_s_page_and_other_paths_get_nothing(
    tmp_path: Path, publisher: Publisher, run: Run, port: int
) -> None:
    run(settings(tmp_path, port), publisher)
    wait_until(lambda: answers(port), 60, "the server")
    assert ask(port, "/metrics", Host="evil.example")[0] == 403
    assert ask(port, "/metrics", Host="[")[0] == 403
    assert ask(port, "/other")[0] == 404
    assert ask(port, "/metrics?match=1", Host=f"localhost:{port}")[0] == 200


def test_visitors_who_say_nothing_hold_nobody_up(port: int) -> None:
    server = WebServer("127.0.0.1", port, {"/metrics": lambda _: Page(b"")}, whole_seconds=0.5)
    server.start()
    silent = [socket.create_connection(("127.0.0.1", port)) for _ in range(2 * _MOST_CONNECTIONS)]
    silent[0].sendall(b"GET /metrics")

    def is_answered() -> bool:
        try:
            return ask(port, "/metrics")[0] == 200
        except OSError:
            return False

    wait_until(is_answered, 60, "an answer")
    for each in silent:
        each.close()
    server.close()


def test_an_address_that_is_taken_is_tried_again(
    tmp_path: Path, publisher: Publisher, run: Run, port: int, caplog: pytest.LogCaptureFixture
) -> None:
    config = settings(tmp_path, port)
    assert config.metrics is not None
    with socket.socket() as other:
        other.bind(("127.0.0.1", port))
        other.listen()
        run(config, publisher, MetricsSink(config, config.metrics, again_seconds=0.1))
        wait_until(lambda: "it is tried again" in caplog.text, 60, "a complaint")
    wait_until(lambda: answers(port), 60, "the server")
    assert caplog.text.count("it is tried again") == 1
