"""Make docs/images/terminal.svg: the live view of the demo at one moment, with the scores that it really had.

Run it from the repository: python scripts/terminal_picture.py [--seconds S] [--width W] [--height H]
"""

import argparse
import io
import re
import time
from pathlib import Path

from msgspec.structs import replace
from rich.console import Console

from streamtag.cli.demo import STREAM, demo_config
from streamtag.cli.live_state import LiveState
from streamtag.cli.live_view import Caption, draw, label_rows
from streamtag.engine import Service
from streamtag.model import DEFAULT
from streamtag.settings import Config
from streamtag.wire import Subscriber
from streamtag.wire.messages import KINDS, ON_REQUEST

PICTURE = Path(__file__).parents[1] / "docs" / "images" / "terminal.svg"


def main() -> None:
    """Run the demo for a while and draw what the view shows then."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20.0, help="when to take the picture")
    parser.add_argument("--width", type=int, default=96)
    parser.add_argument("--height", type=int, default=24)
    options = parser.parse_args()

    shown = Config().service.endpoint
    config = demo_config(Config(), "tcp://127.0.0.1:*")
    service = Service(replace(config, service=replace(config.service, input=None)))
    state = LiveState(STREAM, service.models[DEFAULT].labels.names, label_rows(options.height))
    service.start()
    with Subscriber(service.endpoint, [STREAM], (*KINDS, *ON_REQUEST)) as subscriber:
        end = time.monotonic() + options.seconds
        while time.monotonic() < end:
            message = subscriber.receive(0.05)
            if message is not None:
                state.update(message)
            state.ease()
    caption = Caption("the packaged recording, in a loop", f"streamtag subscribe {shown}", "http://127.0.0.1:7860")
    console = Console(record=True, width=options.width, file=io.StringIO(), force_terminal=True)
    console.print(draw(state, caption, options.width, options.height))
    service.stop()
    PICTURE.parent.mkdir(parents=True, exist_ok=True)
    # The font that rich's picture asks for would be fetched from a foreign host.
    picture = re.sub(r"@font-face \{.*?\}\s*", "", console.export_svg(title="streamtag demo"), flags=re.DOTALL)
    PICTURE.write_text(picture.replace("Fira Code", "ui-monospace, Menlo, Consolas, DejaVu Sans Mono"))
    print(PICTURE)


if __name__ == "__main__":
    main()
