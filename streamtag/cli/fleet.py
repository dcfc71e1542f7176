"""`fleet`: services on many machines as one."""

import argparse
import logging
import os
import sys
from functools import partial
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands, add_key, endpoint, key_of
from streamtag.cli.edits import Edits, Hangups
from streamtag.cli.output import print_json, table
from streamtag.cli.standard_streams import complain
from streamtag.cli.stopping import Stop
from streamtag.errors import ConfigError, StreamtagError

if TYPE_CHECKING:
    from streamtag.fleet.controller import Controller
    from streamtag.wire import ServiceHeader

__all__ = ["add"]

_STEP_SECONDS = 0.5
_LISTEN_SECONDS = 6.0

logger = logging.getLogger(__name__)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "fleet",
        help="services on many machines as one",
        description="Services on the nodes of a Ray cluster (extra 'ray'), streams placed among them, one endpoint.",
    )
    actions = parser.add_subparsers(title="actions", metavar="ACTION", required=True)
    run = actions.add_parser(
        "run",
        help="place the streams of a file on all nodes, and look after them",
        description="Run a service on each node and place the file's streams on them, until SIGINT or SIGTERM, which "
        "end the services too. SIGHUP, or a change of the file, reads the list of streams anew.",
    )
    run.add_argument("file", metavar="FLEET.toml", help="the fleet's file")
    run.add_argument(
        "--ray",
        metavar="ADDRESS",
        help="local, auto or HOST:PORT of the cluster's head (default: auto where RAY_ADDRESS is set, else local)",
    )
    run.set_defaults(command=_run, default_log_level="info")
    status = actions.add_parser(
        "status", help="nodes, streams and load", description="Show what a running fleet tells of its nodes."
    )
    status.add_argument("file", metavar="FLEET.toml", nargs="?", help="the fleet's file, which names its endpoint")
    status.add_argument("--connect", metavar="E", type=endpoint, help="the fleet's endpoint")
    add_key(status)
    status.add_argument("--json", action="store_true", help="as JSON")
    status.set_defaults(command=_status)


def _run(options: argparse.Namespace) -> None:
    from streamtag.fleet.controller import Controller, open_wire
    from streamtag.fleet.head import HeadWatch
    from streamtag.fleet.settings import check_reach, load_fleet
    from streamtag.ray_cluster import ray_cluster

    stop, hangups, edits = Stop(), Hangups(), Edits(options.file)
    fleet = load_fleet(options.file)
    check_reach(fleet)
    failures: list[BaseException] = []
    wire = open_wire(fleet, failures.append)
    with ray_cluster(options.ray or ("auto" if os.environ.get("RAY_ADDRESS") else "local")) as found:
        from streamtag.fleet.cluster import Cluster

        head = HeadWatch(found.address, partial(_end_without_head, found.address))
        wire.start()
        cluster = Cluster(fleet.settings, fleet.config.service.keys)
        try:
            controller = Controller(fleet, cluster, wire)
            logger.info("publishing on %s, nodes of the cluster at %s", wire.endpoint, found.address)
            while not stop:
                controller.step()
                stop.wait(_STEP_SECONDS)
                edited = edits.poll()
                if hangups.poll() or edited:
                    _reload(controller, options.file)
                if failures:
                    raise StreamtagError("the endpoint failed; the fleet ends") from failures[0]
        finally:
            head.stop()
            cluster.end()
            wire.stop()
    logger.info("stopped")


def _end_without_head(address: str) -> None:
    """End at once: every question to Ray would wait for a minute, and then this process would be aborted."""
    complain(
        f"streamtag: Ray's head at {address} is gone, and all of the fleet with it: start the cluster and then "
        "streamtag fleet run again, which begins anew"
    )
    os._exit(1)


def _reload(controller: "Controller", path: str) -> None:
    from streamtag.fleet.settings import load_fleet

    try:
        controller.reload(load_fleet(path))
    except ConfigError as error:
        logger.error("the file was not reloaded, the old one stays: %s", error)
    else:
        logger.info("reloaded %s", path)


def _status(options: argparse.Namespace) -> int:
    from streamtag.fleet.settings import load_fleet
    from streamtag.keys import ServerKeys
    from streamtag.wire import ServiceHeader, Subscriber

    if not options.file and not options.connect:
        raise ConfigError("fleet status: name the fleet's file, or its endpoint with --connect")
    address, key = options.connect, key_of(options)
    if options.file:
        service = load_fleet(options.file).config.service
        address = address or service.endpoint
        key = key or (ServerKeys(service.keys).own if service.keys else None)
    with Subscriber(address, kinds=["service"], key=key) as subscriber:
        message = subscriber.receive(_LISTEN_SECONDS)
    header = None if message is None else message.typed
    if not isinstance(header, ServiceHeader):
        raise StreamtagError(f"no fleet answers at {address}: streamtag fleet run FLEET.toml starts one")
    if options.json:
        import msgspec

        told = msgspec.to_builtins(header)
        names = ("version", "model", "runtime", "streams", "homeless", "patches", "dropped_patches", "states", "uptime")
        print_json({"nodes": told["nodes"], **{name: told[name] for name in names}})
    else:
        sys.stdout.write(_table(header))
    is_well = not header.homeless and all(node.state in ("live", "starting") for node in header.nodes)
    return 0 if is_well else 1


def _table(header: "ServiceHeader") -> str:
    rows: list[tuple[str, ...]] = [
        ("node", "state", "streams", "room", "sustainable", "patches", "dropped", "endpoint", "reason")
    ]
    for node in header.nodes:
        known = "" if node.sustainable_streams is None else str(node.sustainable_streams)
        counts = (str(node.streams), str(node.room), known, str(node.patches), str(node.dropped_patches))
        rows.append((node.name, node.state, *counts, node.endpoint, node.reason))
    text = table(rows)
    states = ", ".join(f"{count} {state}" for state, count in sorted(header.states.items()))
    text += f"{len(header.streams)} streams{f' ({states})' if states else ''}\n"
    if header.homeless:
        text += f"on no node: {', '.join(header.homeless)}\n"
    return text
