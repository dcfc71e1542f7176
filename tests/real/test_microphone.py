"""A virtual microphone: plugged, unplugged, plugged in elsewhere; its sound server killed; no device at all."""

import time
from pathlib import Path

import pytest

from streamtag.sources.microphone import list_devices
from tests.real.listening import AT_ONCE, Listener
from tests.real.pulse import Pulse


@pytest.mark.timeout(120)
def test_a_microphone_hears_what_is_played_without_a_hole(pulse: Pulse) -> None:
    began = time.monotonic()
    with pulse.playing("porch"), Listener("mic:porch") as listener:
        listener.wait_tone()
        listener.wait_unbroken(2.0)
        assert listener.states == [("live", "")]
        assert listener.blocks[0].start == 0
        last = listener.blocks[-1]
        # Holes that are made up would lead it ahead of the clock.
        assert last.start / last.rate < time.monotonic() - began
        assert -0.1 < min(listener.ages[-25:]) < 1.0  # a busy machine hands some of it over late, but not all
        listener.source.close()
        listener.wait_end(AT_ONCE)


def test_a_microphone_gives_the_rate_and_channels_asked_for(pulse: Pulse) -> None:
    with Listener("mic:porch", rate=16000, channels=2) as listener:
        listener.wait_audio(0.2)
        assert (listener.source.rate, listener.source.channels) == (16000, 2)
        assert listener.blocks[0].samples.shape == (640, 2)


def test_the_device_list_names_what_can_be_opened(pulse: Pulse) -> None:
    names = [device.name for device in list_devices()]
    assert "porch" in names
    pulse.name_devices("yard", "porch")
    assert [device.name for device in list_devices()][:2] == ["yard", "porch"]


def test_an_unplugged_microphone_is_found_again_by_name_where_it_moved(pulse: Pulse) -> None:
    with pulse.playing("porch"), Listener("mic:porch") as listener:
        told = listener.wait_state("live")
        listener.wait_audio(0.5)

        pulse.unplug("porch")
        told = listener.wait_state("stalled", "reconnecting", after=told)
        heard = len(listener.blocks)

        pulse.name_devices("yard", "porch")
        pulse.plug("yard")
        pulse.plug("porch")
        told = listener.wait_state("live", after=told)
        with pulse.playing("porch", frequency=880):
            listener.wait_tone(880)
        assert [device.index for device in list_devices() if device.name == "porch"] != [0]

        # The virtual sound card's own clock slips when the machine is busy, but the outage is in the stream's time.
        before, after = listener.blocks[heard - 1 : heard + 1]
        assert dict(listener.jumps())[heard] == pytest.approx(after.time - before.time, abs=0.5)
        assert after.time - before.time > 1.0


def test_a_microphone_outlives_its_sound_server(pulse: Pulse) -> None:
    with Listener("mic:porch") as listener:
        told = listener.wait_state("live")
        pulse.kill()
        told = listener.wait_state("stalled", "reconnecting", after=told)
        pulse.start()
        pulse.plug("porch")
        listener.wait_state("live", after=told)
        listener.wait_audio(0.5)


def test_a_microphone_that_falls_silent_without_a_word_is_stalled(pulse: Pulse) -> None:
    with Listener("mic:porch") as listener:
        told = listener.wait_state("live")
        pulse.suspend("porch", True)
        told = listener.wait_state("stalled", after=told)
        pulse.suspend("porch", False)
        listener.wait_state("live", after=told)


def test_an_index_opens_the_device_of_that_number(pulse: Pulse) -> None:
    [index] = [device.index for device in list_devices() if device.name == "porch"]
    with pulse.playing("porch"), Listener(f"mic:#{index}") as listener:
        listener.wait_tone()


def test_the_default_microphone_needs_no_name(pulse: Pulse) -> None:
    with Listener("mic:") as listener:
        listener.wait_audio(0.2)


def test_a_name_that_no_device_has_is_told_with_the_names_there_are(pulse: Pulse) -> None:
    with Listener("mic:attic") as listener:
        listener.wait_state("reconnecting")
        assert "'attic'" in listener.states[0][1]
        assert "'porch'" in listener.states[0][1]


def test_no_input_device_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    without_cards = tmp_path / "asound.conf"
    without_cards.write_text("</usr/share/alsa/alsa.conf>\nctl.!hw { type none }\n")
    monkeypatch.setenv("ALSA_CONFIG_PATH", str(without_cards))
    monkeypatch.setenv("PULSE_SERVER", f"unix:{tmp_path}/nowhere")
    assert list_devices() == []
    with Listener("mic:") as listener:
        listener.wait_state("reconnecting")
        assert listener.states[0][1].startswith("no input device found")
