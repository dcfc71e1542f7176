"""The files for Prometheus and Grafana: read by Prometheus's own tool, and about metrics that there are."""

import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from streamtag.sinks.families import HistorySize, families
from streamtag.sinks.figures import Figures
from streamtag.sinks.sink import Deliveries
from streamtag.wire import ServiceHeader
from streamtag.wire.messages import Histogram
from tests.real.servers import program_path
from tests.wire import samples

DEPLOY = Path(__file__).parents[2] / "deploy"
RULES = DEPLOY / "prometheus" / "streamtag-alerts.yml"
DASHBOARD = json.loads((DEPLOY / "grafana" / "streamtag.json").read_text())
# How each alert comes about: series that lead to it, when, and the labels that it then has.
STREAM = 'instance="cellar",stream="porch"'
CASES: dict[str, tuple[dict[str, str], str, dict[str, str]]] = {
    "StreamtagDown": ({'up{job="streamtag",instance="cellar"}': "0x60"}, "10m", {"job": "streamtag"}),
    "StreamtagStreamDown": (
        {
            f"streamtag_stream_live{{{STREAM}}}": "0x60",
            f"streamtag_stream_paused{{{STREAM}}}": "0x60",
            'streamtag_up{instance="cellar"}': "1x60",
        },
        "10m",
        {"stream": "porch"},
    ),
    "StreamtagStreamSilentSource": (
        {
            f"streamtag_stream_live{{{STREAM}}}": "1x60",
            f"streamtag_stream_last_audio_timestamp_seconds{{{STREAM}}}": "0x60",
        },
        "10m",
        {"stream": "porch"},
    ),
    "StreamtagDeadMicrophone": (
        {f"streamtag_stream_live{{{STREAM}}}": "1x90", f"streamtag_stream_level_dbfs{{{STREAM}}}": "-96x90"},
        "80m",
        {"stream": "porch"},
    ),
    "StreamtagDroppingPatches": ({'streamtag_dropped_patches_total{instance="cellar"}': "0+60x60"}, "30m", {}),
    "StreamtagNearlyFull": (
        {
            'streamtag_streams{instance="cellar",state="live"}': "90x60",
            'streamtag_sustainable_streams{instance="cellar"}': "100x60",
        },
        "30m",
        {"state": "live"},
    ),
    "StreamtagOutputFailing": (
        {'streamtag_outputs_failed_total{instance="cellar",output="webhook"}': "0+1x60"},
        "30m",
        {"output": "webhook"},
    ),
    "StreamtagOutputWaiting": (
        {'streamtag_output_queue{instance="cellar",output="mqtt"}': "200x60"},
        "30m",
        {"output": "mqtt"},
    ),
}


def promtool(*arguments: object) -> None:
    done = subprocess.run([program_path("promtool"), *map(str, arguments)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr


def expressions() -> list[str]:
    return [target["expr"] for panel in DASHBOARD["panels"] for target in panel["targets"]]


def metrics() -> set[str]:
    """Every name that a service tells."""
    figures = Figures(["Dog"], 0.0)
    header = samples.service().header
    assert isinstance(header, ServiceHeader)
    header.sustainable_streams = 100
    names = ("batch_patches", "inference_seconds", "publish_delay_seconds")
    header.measures = {name: Histogram(bounds=[1], counts=[1, 0], sum=1) for name in names}
    for message in (header, samples.status().header, samples.scores().header, samples.event().header):
        figures.hear(message, 1.0)
    every = families(figures, {"mqtt": Deliveries()}, HistorySize(1, 1), 2.0, per_stream=True)
    return {sample.name for family in every for sample in family.samples}


def test_prometheus_reads_its_configuration_and_the_rules() -> None:
    promtool("check", "config", DEPLOY / "prometheus" / "prometheus.yml")


def test_every_rule_is_tried() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    assert [rule["alert"] for rule in group["rules"]] == list(CASES)


def test_every_rule_fires_when_it_should_and_not_before(tmp_path: Path) -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    severity = {rule["alert"]: rule["labels"]["severity"] for rule in group["rules"]}
    tests: list[dict[str, Any]] = []
    for alert, (given, when, labels) in CASES.items():
        expected = {"exp_labels": {"instance": "cellar", "severity": severity[alert], **labels}}
        tests.append(
            {
                "interval": "1m",
                "input_series": [{"series": name, "values": values} for name, values in given.items()],
                "promql_expr_test": [],
                "alert_rule_test": [
                    {"eval_time": "0m", "alertname": alert, "exp_alerts": []},
                    {"eval_time": when, "alertname": alert, "exp_alerts": [expected]},
                ],
            }
        )
    plain = yaml.safe_load(RULES.read_text())
    for rule in plain["groups"][0]["rules"]:
        del rule["annotations"]  # the tool would have them repeated word for word
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(plain))
    (tmp_path / "tests.yml").write_text(yaml.safe_dump({"rule_files": ["rules.yml"], "tests": tests}))
    promtool("test", "rules", tmp_path / "tests.yml")


def test_prometheus_understands_every_panel_of_the_dashboard(tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": expression.replace("$instance", ".*").replace("$stream", ".*")}
        for number, expression in enumerate(expressions())
    ]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool("check", "rules", tmp_path / "panels.yml")


@pytest.mark.parametrize("text", [*expressions(), RULES.read_text()], ids=lambda text: text[:40])
def test_only_metrics_that_there_are_are_asked_for(text: str) -> None:
    asked = set(re.findall(r"\bstreamtag_[a-z_]+", text))
    assert asked
    assert asked <= metrics()


def test_the_dashboard_asks_for_its_source_and_overlaps_nowhere() -> None:
    assert {target["datasource"]["uid"] for panel in DASHBOARD["panels"] for target in panel["targets"]} == {
        "${datasource}"
    }
    assert len({panel["id"] for panel in DASHBOARD["panels"]}) == len(DASHBOARD["panels"])
    places = [
        (x, y)
        for place in (panel["gridPos"] for panel in DASHBOARD["panels"])
        for x in range(place["x"], place["x"] + place["w"])
        for y in range(place["y"], place["y"] + place["h"])
    ]
    assert len(places) == len(set(places))
    assert max(x for x, _ in places) < 24
