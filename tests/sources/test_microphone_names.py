"""`sources/microphone.py`: names of devices, and which device a name finds."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from streamtag.errors import SourceError
from streamtag.sources import open_source
from streamtag.sources.feed import Lost
from streamtag.sources.microphone import InputDevice, choose, named

APIS = ["ALSA", "JACK"]


def listed(*names: str) -> list[InputDevice]:
    """Devices as PortAudio lists them, each written NAME or NAME@API."""
    found = [
        {
            "name": name.partition("@")[0],
            "index": index,
            "hostapi": APIS.index(name.partition("@")[2] or "ALSA"),
            "max_input_channels": 2,
            "default_samplerate": 48000.0,
        }
        for index, name in enumerate(names)
    ]
    return named(found, APIS, default=1)


USB = "USB PnP Sound Device: Audio"


def test_a_name_leaves_out_the_card_number_that_changes() -> None:
    assert [device.name for device in listed("pulse", f"{USB} (hw:2,0)")] == ["pulse", USB]


def test_the_same_name_finds_the_device_wherever_it_moved() -> None:
    name = listed("pulse", f"{USB} (hw:2,0)")[1].name
    moved = listed("HDA Intel: ALC295 (hw:0,0)", "pulse", f"{USB} (hw:1,0)")
    assert choose(moved, name).index == 2


def test_one_device_through_two_host_apis_is_told_apart() -> None:
    devices = listed("Room", "Room@JACK")
    assert [device.name for device in devices] == ["Room, ALSA", "Room, JACK"]
    assert choose(devices, "Room, JACK").index == 1


def test_two_devices_of_one_make_keep_their_full_names() -> None:
    devices = listed(f"{USB} (hw:1,0)", f"{USB} (hw:2,0)")
    assert [device.name for device in devices] == [f"{USB} (hw:1,0)", f"{USB} (hw:2,0)"]
    with pytest.raises(Lost, match="several"):
        choose(devices, USB)


@given(st.lists(st.sampled_from(["pulse", "Room", "Room@JACK", f"{USB} (hw:1,0)", f"{USB} (hw:2,0)"]), unique=True))
def test_every_listed_name_finds_its_own_device(names: list[str]) -> None:
    devices = listed(*names)
    for device in devices:
        assert choose(devices, device.name) == device


def test_a_name_may_be_cut_short_while_it_fits_one_device() -> None:
    assert choose(listed("pulse", f"{USB} (hw:2,0)"), "usb pnp").index == 1


def test_without_a_name_the_default_device_is_taken() -> None:
    devices = listed("pulse", "Room")
    assert choose(devices, "").index == 1
    assert choose([replace(device, is_default=False) for device in devices], "").index == 0


def test_an_index_is_taken_literally() -> None:
    assert choose(listed("pulse", "Room"), "#0").name == "pulse"
    with pytest.raises(Lost, match="'#7'"):
        choose(listed("pulse"), "#7")


def test_an_unknown_name_is_told_with_the_known_ones() -> None:
    with pytest.raises(Lost, match="'Room'"):
        choose(listed("Room"), "porch")


def test_no_device_at_all_is_told_plainly() -> None:
    with pytest.raises(Lost, match="no input device found"):
        choose([], "")


def test_an_index_that_is_no_number_is_refused() -> None:
    with pytest.raises(SourceError, match="index"):
        open_source("mic:#one")
