"""The commands of `python -m train`; no logic of their own."""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec

from streamtag.errors import ConfigError, StreamtagError
from train.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.progress import TaskID

FINE_TUNE = Path(__file__).parent / "configs" / "finetune.toml"
"""What `fit --from BUNDLE` runs when no other file is named."""

EXPERIMENTS = {
    name: FINE_TUNE.with_name(f"{file}.toml")
    for name, file in (
        ("architectures", "architectures"),
        ("labels", "experiment"),
        ("data-size", "experiment"),
        ("sources", "default"),
        ("transfer", "experiment"),
        ("esc50", "esc50"),
    )
}
"""What `experiment NAME` runs when no other file is named."""


def _settings(arguments: argparse.Namespace) -> Settings:
    settings = load_settings(arguments.config)
    data, fit, teacher = settings.data, settings.fit, settings.teacher
    if arguments.data:
        data = msgspec.structs.replace(data, root=arguments.data)
    if arguments.sets:
        data = msgspec.structs.replace(data, sets=tuple(arguments.sets))
    if arguments.steps is not None:
        fit = msgspec.structs.replace(fit, steps=arguments.steps)
    if arguments.yamnet_file and teacher:
        teacher = msgspec.structs.replace(teacher, yamnet=arguments.yamnet_file)
    if arguments.weights:
        if fit.network == "mobilenet_v3":
            fit = msgspec.structs.replace(fit, weights=arguments.weights)
        if teacher:
            teacher = msgspec.structs.replace(teacher, mn04=arguments.weights)
    output = arguments.output or settings.output
    return msgspec.structs.replace(settings, data=data, fit=fit, teacher=teacher, output=output)


def _fit(arguments: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle
    from train.fit import fit

    bundle = Bundle.open(arguments.bundle) if arguments.bundle else None
    if arguments.config is None:
        if bundle is None:
            raise ConfigError("fit: name a run's TOML file, or a bundle to start from with --from")
        arguments.config = FINE_TUNE
    print(fit(_settings(arguments), bundle))


def _export(arguments: argparse.Namespace) -> None:
    from train.export.export import export

    bundle = export(
        _settings(arguments),
        arguments.bundle,
        arguments.version,
        tensorrt=not arguments.no_tensorrt,
        note=arguments.note,
    )
    print(bundle.path)


def _evaluate(arguments: argparse.Namespace) -> None:
    if arguments.folder:
        _score_card(arguments)
        return
    if arguments.config is None:
        raise ConfigError("evaluate: name a run's TOML file, or a folder of recordings by label with --folder")
    from streamtag.bundle import Bundle
    from train.evaluate import evaluate

    settings = _settings(arguments)
    bundle = Bundle.open(arguments.bundle) if arguments.bundle else None
    report = arguments.report or settings.output / "evaluation"
    result = evaluate(settings, bundle, report, yamnet=arguments.yamnet, pictures=not arguments.no_pictures)
    print(json.dumps(result, indent=1) if arguments.json else report)


def _score_card(arguments: argparse.Namespace) -> None:
    from streamtag.bundle import installed
    from train.judges import judges
    from train.score_card import as_markdown, score_card

    models = judges(arguments.models or installed(), arguments.yamnet_file, arguments.weights)
    card = score_card(arguments.folder, models)
    print(json.dumps(card, indent=1) if arguments.json else as_markdown(card))


def _alarms(arguments: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle
    from train.alarms import as_text, false_alarms

    bundle = Bundle.open(arguments.bundle)
    alarms = false_alarms(arguments.folder, bundle)
    title = f"{bundle.name} {bundle.version}"
    print(json.dumps({"bundle": title, **alarms.as_dict()}, indent=1) if arguments.json else as_text(title, alarms))


def _background(arguments: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle
    from train.background import make_background

    print(make_background(Bundle.open(arguments.bundle), arguments.data, arguments.sets))


def _teaching(arguments: argparse.Namespace) -> None:
    from streamtag.bundle import Bundle
    from train.teaching import as_markdown, teaching

    print(as_markdown(teaching(Bundle.open(arguments.bundle), arguments.data)), end="")


def _disagreements(arguments: argparse.Namespace) -> None:
    from train.data.sets import collect
    from train.disagreements import as_markdown, as_rows, disagreements
    from train.judges import judges

    settings = _settings(arguments)
    weights = settings.teacher.mn04 if settings.teacher else arguments.weights
    yamnet = settings.teacher.yamnet if settings.teacher else arguments.yamnet_file
    taggers = judges((), yamnet, weights)
    found = disagreements(collect(settings.data).split.train, taggers)
    print(json.dumps(as_rows(found), indent=1) if arguments.json else as_markdown(found, taggers))


def _wrap(arguments: argparse.Namespace) -> None:
    from train.wrap import WrapOptions, wrap

    names = ("seconds", "hop", "scores", "embedding", "activation", "name")
    options = WrapOptions(**{name: getattr(arguments, name) for name in names})
    bundle = wrap(
        arguments.front_end, arguments.source, arguments.labels, arguments.out, options,
        lambda text: print(text, file=sys.stderr),
    )  # fmt: skip
    print(bundle.path)


def _networks(arguments: argparse.Namespace) -> None:
    from train.networks.paper_table import as_text, table

    rows = table()
    print(json.dumps(rows, indent=1) if arguments.json else as_text(rows))


def _data(arguments: argparse.Namespace) -> None:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

    from train.data.download import download

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TransferSpeedColumn())
    with Progress(*columns, disable=not sys.stderr.isatty()) as bars:
        tasks: dict[str, TaskID] = {}

        def progress(name: str, have: int, total: int) -> None:
            if name not in tasks:
                tasks[name] = bars.add_task(name)
            bars.update(tasks[name], completed=have, total=total or None)

        for name in arguments.sets:
            folder, left = download(name, arguments.root, progress)
            print(folder)
            if left:
                print(f"join and unpack these with 7z or zip -s 0: {', '.join(path.name for path in left)}")


def _experiment(arguments: argparse.Namespace) -> None:
    from train.experiments.conditions import experiment

    arguments.config = arguments.config or EXPERIMENTS[arguments.name]
    settings = _settings(arguments)
    page = arguments.page or settings.output / f"{arguments.name}.md"
    settings = msgspec.structs.replace(settings, output=settings.output / arguments.name)
    print(experiment(arguments.name, settings, page))


def _run_options(parser: argparse.ArgumentParser, *, optional: bool = False) -> None:
    parser.add_argument("config", type=Path, nargs="?" if optional else None, help="the run's TOML file")
    parser.add_argument("--sets", nargs="+", metavar="NAME", help="instead of [data] sets")
    parser.add_argument("--data", type=Path, metavar="FOLDER", help="instead of [data] root")
    parser.add_argument(
        "--yamnet-file", type=Path, metavar="FILE", help="the published yamnet.tflite, instead of [teacher] yamnet"
    )
    parser.add_argument(
        "--weights", type=Path, metavar="FILE", help="EfficientAT's mn04_as.safetensors, to begin with and to teach"
    )
    parser.add_argument("--output", type=Path, metavar="FOLDER", help="instead of output")
    parser.add_argument("--steps", type=int, metavar="N", help="instead of [fit] steps; 0 leaves the network")


def _seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0.1 <= value <= 60:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds from 0.1 to 60")
    return value


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m train", description="Train, judge and export audio taggers.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    fit = commands.add_parser("fit", help="train from a TOML file; goes on where an interrupted run stopped")
    _run_options(fit, optional=True)
    fit.add_argument("--from", dest="bundle", metavar="BUNDLE", help="fine-tune a bundle's network, by name or path")
    fit.set_defaults(run=_fit)
    export = commands.add_parser("export", help="write a run's averaged weights as a bundle")
    _run_options(export)
    export.add_argument("--bundle", type=Path, required=True, metavar="FOLDER", help="where to write it")
    export.add_argument("--version", default="1", help="the bundle's version")
    export.add_argument("--no-tensorrt", action="store_true", help="leave the graphs for TensorRT out")
    export.add_argument("--note", default="", metavar="TEXT", help="what the card says of how the run went")
    export.set_defaults(run=_export)
    evaluate = commands.add_parser("evaluate", help="judge a bundle or a run on recordings that it never learnt from")
    _run_options(evaluate, optional=True)
    evaluate.add_argument(
        "--folder",
        type=Path,
        metavar="DIR",
        help="instead of a run's sets: a folder of recordings by label, on which models are judged side by side",
    )
    evaluate.add_argument(
        "--models",
        nargs="+",
        metavar="MODEL",
        help="with --folder: bundles by name or path, *.onnx with labels beside it, yamnet.tflite, mn04 as "
        "*.safetensors; the packaged bundles if not given, and what --yamnet-file and --weights name",
    )
    evaluate.add_argument("--bundle", metavar="BUNDLE", help="name or path; without it the run's last weights")
    evaluate.add_argument(
        "--report", type=Path, metavar="FOLDER", help="where to write; OUTPUT/evaluation if not given"
    )
    evaluate.add_argument("--yamnet", action="store_true", help="compare with the teacher's own scores")
    evaluate.add_argument("--no-pictures", action="store_true", help="write evaluation.json alone")
    evaluate.add_argument("--json", action="store_true", help="print the figures")
    evaluate.set_defaults(run=_evaluate)
    disagreements = commands.add_parser(
        "disagreements",
        help="list a run's recordings that YAMNet and mn04 both hear as something else than their labels",
    )
    _run_options(disagreements)
    disagreements.add_argument("--json", action="store_true", help="print JSON")
    disagreements.set_defaults(run=_disagreements)
    alarms = commands.add_parser("alarms", help="count what a bundle hears in recordings that is not in them")
    alarms.add_argument(
        "--folder",
        type=Path,
        required=True,
        metavar="DIR",
        help="recordings that nothing was trained on, in a folder a kind of sound: speech, music, rain ...",
    )
    alarms.add_argument("--bundle", default="default", metavar="BUNDLE", help="name or path (default: default)")
    alarms.add_argument("--json", action="store_true", help="print JSON")
    alarms.set_defaults(run=_alarms)
    experiment = commands.add_parser(
        "experiment", help="repeat one of the paper's experiments, or judge ESC-50's folds"
    )
    experiment.add_argument("name", choices=list(EXPERIMENTS))
    _run_options(experiment, optional=True)
    experiment.add_argument("--page", type=Path, metavar="FILE", help="where to write the table, Markdown")
    experiment.set_defaults(run=_experiment)
    background = commands.add_parser(
        "background", help="embed sound of all kinds by a packaged model, from which taught labels are told"
    )
    background.add_argument("--bundle", default="default", metavar="BUNDLE", help="name or path (default: default)")
    background.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the folder that holds the sets")
    background.add_argument(
        "--sets", nargs="+", metavar="NAME", default=["more", "wide", "deep", "deep/unlabelled"], help="which"
    )
    background.set_defaults(run=_background)
    teaching = commands.add_parser(
        "teaching", help="teach ESC-50's classes by a few examples each, and judge them on clips of other sources"
    )
    teaching.add_argument("--bundle", default="default", metavar="BUNDLE", help="name or path (default: default)")
    teaching.add_argument("--data", type=Path, required=True, metavar="FOLDER", help="the folder that holds esc50")
    teaching.set_defaults(run=_teaching)
    data = commands.add_parser("data", help="fetch public sets: esc50, urbansound8k, fsd50k")
    data.add_argument("sets", nargs="+", metavar="SET", help="esc50, urbansound8k or fsd50k")
    data.add_argument("--root", type=Path, default=Path("data"), metavar="FOLDER", help="where to (default: data)")
    data.set_defaults(run=_data)
    wrapping = commands.add_parser(
        "wrap", help="put a published tagger's front end into its graph, and make a bundle of both"
    )
    wrapping.add_argument("front_end", choices=("ced", "ast", "kaldi80", "efficientat"), help="what it takes")
    wrapping.add_argument("source", type=Path, metavar="WEIGHTS", help="its graph in ONNX, or mn04_as.safetensors")
    wrapping.add_argument("labels", type=Path, metavar="LABELS", help="its labels: .csv, .json, or a name a line")
    wrapping.add_argument("out", type=Path, metavar="OUT", help="the bundle's folder")
    wrapping.add_argument("--seconds", type=_seconds, metavar="S", help="of a window (default: as it was trained)")
    wrapping.add_argument("--hop", type=_seconds, metavar="S", help="from window to window (default: 1)")
    wrapping.add_argument("--scores", metavar="NAME", help="the output (default: the one as long as LABELS)")
    wrapping.add_argument("--embedding", metavar="NAME", help="the output that the scores are made of")
    wrapping.add_argument(
        "--activation", choices=("none", "sigmoid", "softmax"), help="what makes probabilities of its scores"
    )
    wrapping.add_argument("--name", metavar="NAME", help="of the model (default: OUT's)")
    wrapping.set_defaults(run=_wrap)
    networks = commands.add_parser("networks", help="weights and multiplies of the networks, beside the paper's")
    networks.add_argument("--json", action="store_true", help="print JSON")
    networks.set_defaults(run=_networks)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return the exit status: 0 done, 1 it failed, 2 wrong usage or configuration."""
    arguments = _parser().parse_args(argv)
    try:
        arguments.run(arguments)
    except StreamtagError as error:
        print(f"error: {error}", file=sys.stderr)
        return 2 if isinstance(error, ConfigError) else 1
    except KeyboardInterrupt:
        return 130
    return 0
