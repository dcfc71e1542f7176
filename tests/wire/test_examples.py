"""The programs in `examples/`, against a real publisher and a real input."""

import os
import subprocess
import sys
import wave
from pathlib import Path
from queue import SimpleQueue
from typing import Any

import numpy as np

from streamtag.wire import PcmEnd, PcmPuller, Publisher
from tests.wire.samples import event, scores

REPOSITORY = Path(__file__).parents[2]
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1"}


def test_the_example_subscriber_prints_scores_and_events(publisher: Publisher) -> None:
    publisher.publish([scores()])
    command = [sys.executable, str(REPOSITORY / "examples" / "subscriber.py"), publisher.endpoint]
    with subprocess.Popen(command, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True) as example:
        assert example.stdout is not None
        assert example.stdout.readline() == "porch: 0.00 s Dog 0.75\n"
        publisher.publish([event()])
        assert example.stdout.readline() == "porch: Dog on at 0.50 s\n"
        example.terminate()


def test_the_example_pusher_pushes_a_recording(puller: PcmPuller, pcm: SimpleQueue[Any], tmp_path: Path) -> None:
    samples = np.arange(4000, dtype="<i2").reshape(-1, 2)
    with wave.open(str(tmp_path / "sound.wav"), "wb") as recording:
        recording.setparams((2, 2, 16000, 0, "NONE", ""))
        recording.writeframes(samples.tobytes())
    example = [sys.executable, str(REPOSITORY / "examples" / "push_pcm.py"), str(tmp_path / "sound.wav")]
    subprocess.run([*example, puller.endpoint, "yard"], check=True, env=ENVIRONMENT, timeout=60)
    blocks = [pcm.get(timeout=60) for _ in range(2)]
    assert [block.start for block in blocks] == [0, 1600]
    assert np.array_equal(np.concatenate([block.samples for block in blocks]), samples)
    assert pcm.get(timeout=60) == PcmEnd("yard")
