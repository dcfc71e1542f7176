"""The model card: what the model is, what it learnt from, how good it is and where it ends."""

from collections import defaultdict
from collections.abc import Iterable
from importlib import resources
from typing import Any

from train.data.clips import Clip

_NOTICE = resources.files("streamtag") / "bundles" / "NOTICE-EfficientAT.txt"
"""Goes with whatever begins with mn04's weights."""
_BAR = 30


def credits_of(clips: Iterable[Clip]) -> list[dict[str, Any]]:
    """Return one row for each set, credit and licence: how many clips came from there."""
    counts: dict[tuple[str, str, str], int] = defaultdict(int)
    for clip in clips:
        counts[clip.dataset, clip.credit or clip.source, clip.licence] += 1
    return [
        {"set": dataset, "credit": credit, "licence": licence, "clips": number}
        for (dataset, credit, licence), number in sorted(counts.items())
    ]


def _table(rows: list[dict[str, Any]]) -> list[str]:
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += [
        "| " + " | ".join(str(row[key]).replace("|", "\\|").replace("\n", " ") for key in head) + " |" for row in rows
    ]
    return lines


def _alarms(alarms: dict[str, Any]) -> list[str]:
    """Return the section on false alarms, nothing where none were counted."""
    if not alarms:
        return []
    kinds = [{"kind of sound": name, **found} for name, found in alarms["kinds"].items()]
    labels = [{"label": name, **found} for name, found in alarms["labels"].items()]
    return [
        "## False alarms",
        "",
        f"{alarms['recordings']} recordings without labels that nothing was trained on, {alarms['minutes']:g} minutes. "
        "Counted are onsets of labels that are certainly not in such a kind of sound, at the bundle's thresholds, of "
        f"which these recordings raised some: {alarms['onsets_a_minute']:g} a minute in all. Labels that begin 0.2 "
        f"times a minute or more: {', '.join(alarms['labels_over']) or 'none'}. Labels not listed never began.",
        "",
        *_table(kinds),
        "",
        *(_table(labels) if labels else []),
        "",
    ]


def _bar(mean: float, right: float) -> str:
    cells = ["█" if at < round(_BAR * right) else "·" for at in range(_BAR)]
    cells[min(_BAR - 1, round(_BAR * mean))] = "┃"
    return f"`{''.join(cells)}`"


def _reliability(found: dict[str, Any]) -> list[str]:
    """Return the section on how often a score is right, with a bar for each bin."""
    if not found:
        return []
    rows = [
        {
            "score": f"{row['from']:g} to {row['to']:g}",
            "scores": row["scores"],
            "mean score": row["mean"],
            "share that is right": row["right"],
            "": _bar(row["mean"], row["right"]),
        }
        for row in found["bins"]
    ]
    return [
        "## How often a score is right",
        "",
        f"{found['windows']} windows of the held-back recordings, as they are, by the recordings' own labels. Expected "
        f"calibration error: {found['error']:g} (of scores from 0.05, the gap of each bin weighed by its scores). A "
        "bar is as long as the share that is right; where a score means what it says it ends at ┃, the mean score.",
        "",
        *_table(rows),
        "",
    ]


def write_card(manifest: dict[str, Any], credit: list[dict[str, Any]], limits: Iterable[str]) -> str:
    """Return the card in Markdown."""
    network, data = manifest["network"], manifest["data"]
    metrics = [{"judged on": name, **values} for name, values in manifest["metrics"].items() if "top_1" in values]
    lines = [
        f"# {manifest['name']} {manifest['version']}",
        "",
        f"An audio tagger: {manifest['labels']['count']} labels for every 960 ms of sound, independent scores.",
        "",
        f"Network `{network['name']}`: {network['weights'] / 1e6:.2f} M weights, "
        f"{network['multiplies'] / 1e6:.1f} M multiplies a patch. Made {manifest['created']}.",
        "",
        "## How it was made",
        "",
        *data["method"],
        "",
        "## How good it is",
        "",
        f"By `{manifest['judged_by']}`. Clip scores are the mean over a clip's patches; a set is judged among the "
        "labels that it has.",
        "None of these recordings, nor another one of the same source, was trained on.",
        "",
        "- `calibration`: held back from training to set the scores' scale.",
        f"- `fold`: the sets' own test fold, number {data['test_fold']}.",
        "- `held`, `others`: recordings of other origin; `manifest.json` lists their sources.",
        "- `YAMNet's labels alone`: the labels that YAMNet has too, and the clips that bear one of them; there YAMNet "
        "as published, and the teacher.",
        "- `made_windows`: single windows mixed from the calibration recordings at all levels, far harder than clips.",
        "",
        *_table(metrics),
        "",
        "Further figures are in `manifest.json`.",
        "",
        *_reliability(manifest.get("reliability", {})),
        *_alarms(manifest.get("alarms", {})),
        "## Labels",
        "",
        "Recordings trained on, and how many sources (collections of other people, Freesound recordings) they are of.",
        "",
        *_table([{"label": name, **counts} for name, counts in data["labels"].items()]),
        "",
        "## Limits",
        "",
        *[f"- {limit}" for limit in limits],
        "",
        "## Data and licences",
        "",
        f'{data["clips"]} recordings. ESC-50: K. J. Piczak, "ESC: Dataset for Environmental Sound Classification", '
        "Proceedings of the 23rd ACM Conference on Multimedia, 2015. "
        "Label names and MIDs: AudioSet (Gemmeke et al., ICASSP 2017; CC BY 4.0).",
        "",
        *_table(credit),
        "",
        *(["## Notice", "", *_NOTICE.read_text("utf-8").splitlines(), ""] if data["mn04"] else []),
    ]
    return "\n".join(lines)
