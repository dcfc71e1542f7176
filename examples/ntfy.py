"""Sends a phone a word when a label is heard: python ntfy.py https://ntfy.sh/TOPIC LABEL [ENDPOINT].

The service does more of this by itself, with `[[notify]]` in its configuration; this is all that it takes by hand.
"""

import json
import sys
import time
import urllib.request
from urllib.parse import urlsplit

import streamtag

REST_SECONDS = 60.0


def send(address: str, title: str, message: str) -> None:
    server = urlsplit(address)
    body = {"topic": server.path.strip("/"), "title": title, "message": message, "tags": ["loud_sound"]}
    request = urllib.request.Request(f"{server.scheme}://{server.netloc}", json.dumps(body).encode(), method="POST")
    urllib.request.urlopen(request, timeout=10).close()


def main(address: str, label: str, endpoint: str = "tcp://127.0.0.1:5556") -> None:
    due = 0.0
    with streamtag.Subscriber(endpoint, kinds=["event"]) as subscriber:
        for message in subscriber:
            event = message.header
            if event["label"] == label and event["state"] == "on" and time.monotonic() >= due:
                due = time.monotonic() + REST_SECONDS
                try:
                    send(address, f"{label} at {event['stream']}", f"heard with a score of {event['peak']:.2f}")
                except OSError as error:
                    print(f"not sent: {error}", file=sys.stderr)


if __name__ == "__main__":
    if not 3 <= len(sys.argv) <= 4:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:])
    except streamtag.StreamtagError as error:
        sys.exit(str(error))
