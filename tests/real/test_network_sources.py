"""Real servers: sound comes, the server dies, it returns, sound comes again."""

import time

import pytest

from streamtag.sources import Timeouts
from tests.real.conftest import Station
from tests.real.listening import AT_ONCE, Listener, tone_share
from tests.real.servers import free_port, rtsp_server, running


@pytest.fixture(params=["rtsp", "rtsp_telephone", "rtsp_by_udp", "icecast", "hls", "rtp", "udp"])
def station(request: pytest.FixtureRequest) -> Station:
    kind: Station = request.getfixturevalue(request.param)
    return kind


def test_a_stream_whose_server_dies_comes_back_by_itself(station: Station) -> None:
    with Listener(station.uri) as listener:
        told = listener.wait_state("live")
        listener.wait_audio(1.0)
        assert tone_share(listener.blocks[-1]) > 0.9

        station.program.kill()
        told = listener.wait_state("reconnecting", "stalled", after=told)
        heard = len(listener.blocks)
        assert listener.jumps() == []

        station.program.start()
        told = listener.wait_state("live", after=told)
        listener.wait_audio(1.0)
        assert tone_share(listener.blocks[-1]) > 0.9
        # A server may offer the rest of the dead encoder's sound before the new sound, whose distance is a jump too.
        jumps = [number for number, _ in listener.jumps()]
        assert jumps[0] == heard
        assert all(number <= heard + 4 for number in jumps)
        assert listener.states[told - 1][1].startswith("back after")

        # The stream's time is the clock's: the outage is in it, and no old audio is.
        first, last = listener.blocks[0], listener.blocks[-1]
        stream_seconds = last.start / last.rate - first.start / first.rate
        assert stream_seconds == pytest.approx(last.time - first.time, abs=1.6)
        assert time.time() - last.time < 6.0  # HLS is late by some segments


def test_closing_ends_a_live_stream_at_once(station: Station) -> None:
    with Listener(station.uri, timeouts=Timeouts()) as listener:
        listener.wait_audio(0.2)
        listener.source.close()
        listener.wait_end(AT_ONCE)
        assert listener.error is None


def test_a_frozen_server_is_stalled_and_goes_on_when_it_thaws(rtsp: Station) -> None:
    with Listener(rtsp.uri) as listener:
        told = listener.wait_state("live")
        listener.wait_audio(0.5)
        rtsp.program.freeze()
        told = listener.wait_state("stalled", after=told)
        rtsp.program.thaw()
        listener.wait_state("live", after=told)
        listener.wait_audio(0.5)
        assert all("secret" not in reason for _, reason in listener.states)
        assert "secret" not in listener.source.name


def test_the_old_audio_of_an_icecast_burst_is_dropped(icecast: Station) -> None:
    with Listener(icecast.uri) as first:
        first.wait_audio(6.0)  # so that the server has a store
        began = time.monotonic()
        with Listener(icecast.uri) as second:
            second.wait_audio(1.0)
            assert second.heard_seconds() < time.monotonic() - began + 1.5


def test_a_playlist_whose_encoder_is_gone_is_not_live(hls: Station) -> None:
    hls.program.kill()
    with Listener(hls.uri) as listener:
        listener.wait_state("stalled", "reconnecting")
        assert listener.blocks == []


@pytest.mark.parametrize("kind", ["rtsp", "icecast"])
def test_a_scheme_may_be_in_capitals(request: pytest.FixtureRequest, kind: str) -> None:
    scheme, colon, rest = request.getfixturevalue(kind).uri.partition(":")
    with Listener(f"{scheme.upper()}{colon}{rest}") as listener:
        listener.wait_tone()


def test_of_an_rtsp_server_s_tracks_the_first_with_a_decoder_is_heard() -> None:
    telephone = "audioresample ! audio/x-raw,rate=8000 ! alawenc ! rtppcmapay name=pay1"
    mystery = "audiotestsrc is-live=true ! audio/x-raw,rate=48000,channels=1 ! audioconvert ! rtpL16pay"
    mystery += " ! capssetter caps=application/x-rtp,encoding-name=MYSTERY"  # of which becomes pay0, the first
    port = free_port()
    uri = f"rtsp://127.0.0.1:{port}/tone"
    # FFmpeg looks at a track that it does not know for five seconds.
    with running(rtsp_server(port, f"{telephone} {mystery}")), Listener(uri, timeouts=Timeouts()) as listener:
        listener.wait_tone(seconds=60)
        assert listener.blocks[-1].rate == 8000
