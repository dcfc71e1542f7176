import argparse
import gc
import logging
import time
from typing import TYPE_CHECKING

from streamtag.cli.arguments import Commands
from streamtag.cli.edits import Edits, Hangups
from streamtag.cli.stopping import Stop
from streamtag.cli.supervision import watch
from streamtag.errors import BundleError, ConfigError, RuntimeUnavailableError, StreamtagError
from streamtag.systemd import Systemd, Watchdog

if TYPE_CHECKING:
    from streamtag.engine import Service
    from streamtag.settings import Config
    from streamtag.sinks import Keeper

__all__ = ["add"]

_LOOK_SECONDS = 0.25
_SINKS_READY_SECONDS = 10.0

logger = logging.getLogger(__name__)


def add(commands: Commands) -> None:
    """Add the command."""
    parser = commands.add_parser(
        "run",
        help="the service: all streams of a configuration",
        description="Tag all streams of a configuration until SIGINT or SIGTERM. SIGHUP, or a change of the file, "
        "reads [events], [scores], [groups], [models] and the list of streams anew and leaves the streams that did not "
        "change alone.",
    )
    parser.add_argument("config", metavar="CONFIG.toml", help="the configuration")
    parser.set_defaults(command=_run, default_log_level="info")


def _run(options: argparse.Namespace) -> None:
    watched = watch()
    from msgspec.structs import replace

    from streamtag.config import load_config
    from streamtag.engine import Service

    systemd = Systemd()
    watchdog = Watchdog(systemd)
    stop = Stop()
    hangups = Hangups()
    edits = Edits(options.config)
    config = load_config(options.config)
    sinks = _Sinks(options)
    # Whoever is told of the streams is there before the first of them begins.
    service = Service(replace(config, streams=()) if sinks.are_wanted(config) else config, watched.restarts)
    service.start()
    gc.freeze()  # what was loaded stays until the end: looking through it again would hold up messages
    try:
        if service.input_endpoint:
            logger.info("taking PCM on %s", service.input_endpoint)
        if sinks.go_by(config, service.endpoint):
            sinks.wait_ready(stop)
            service.reload(config)
        systemd.ready(f"publishing on {service.endpoint}")
        watched.ready()
        while not stop:
            stop.wait(_LOOK_SECONDS)
            watchdog.look(service.beats())
            edited = edits.poll()
            if hangups.poll() or edited:
                systemd.reloading()
                status = _reload(service, sinks, options.config)
                systemd.ready(f"publishing on {service.endpoint}; {status}")
            if service.wait(0):
                raise StreamtagError("the service ended by itself")
    finally:
        systemd.stopping()
        service.stop()
        sinks.stop()
    logger.info("stopped")


def _reload(service: "Service", sinks: "_Sinks", path: str) -> str:
    """Read the configuration anew, and say in a few words how that went."""
    from streamtag.config import load_config

    try:
        config = load_config(path)
        service.reload(config)
    except (BundleError, ConfigError, RuntimeUnavailableError) as error:
        logger.error("the configuration was not reloaded, the old one stays: %s", error)
        return "the configuration was not reloaded, the log says why"
    logger.info("reloaded %s", path)
    sinks.go_by(config, service.endpoint)
    return "the configuration was reloaded"


class _Sinks:
    """The sinks' process, where the configuration wants one; another configuration of them gets another process."""

    def __init__(self, options: argparse.Namespace) -> None:
        self._path = options.config
        self._log_level = options.log_level or options.default_log_level
        self._keeper: Keeper | None = None
        self._settings: object = None

    @staticmethod
    def are_wanted(config: "Config") -> bool:
        from streamtag.sinks.opening import is_wanted

        return is_wanted(config)

    def go_by(self, config: "Config", endpoint: str) -> bool:
        """Start, end or leave alone; tell whether a process was started."""
        from streamtag.sinks import Keeper, what_matters

        settings = what_matters(config) if self.are_wanted(config) else None
        if settings == self._settings:
            return False
        self.stop()
        self._settings = settings
        if settings is None:
            return False
        self._keeper = Keeper(self._path, endpoint, self._log_level).start()
        return True

    def wait_ready(self, stop: Stop) -> None:
        """Wait until the process hears the service; not for long, and no longer than there is something to do."""
        deadline = time.monotonic() + _SINKS_READY_SECONDS
        while self._keeper is not None and not stop and time.monotonic() < deadline:
            if self._keeper.wait_ready(_LOOK_SECONDS):
                return

    def stop(self) -> None:
        keeper, self._keeper = self._keeper, None
        if keeper is not None:
            keeper.stop()
