"""The web page in a real browser, with a real service behind it."""

import base64
import csv
import io
import re
import tomllib
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import soundfile
from playwright.sync_api import Browser, Playwright, Route, expect, sync_playwright

from tests.real.browser import DEMO, PATIENCE_MS, PageServer, Site, Visitor, browser
from tests.real.certificates import make_authority
from tests.real.servers import wait_until
from tests.sounds import chirp, speech, write

pytestmark = pytest.mark.timeout(300)

PATCH_SAMPLES = 15360
PARTS = {"Speech, silence and Music": (0, 12), "Rain": (22, 25)}
"""Patches of the demo's recording that the service plays: all that it must hear comes round soon."""


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("site")
    demo, rate = soundfile.read(DEMO, dtype="float32")
    parts = [demo[first * PATCH_SAMPLES : end * PATCH_SAMPLES] for first, end in PARTS.values()]
    file = write(folder / "parts.flac", np.concatenate(parts), rate)
    playing = f'[[stream]]\nid = "demo"\nsource = "file:{file}"\nrealtime = true\nloop = true\n'
    with Site(folder, "--allow-write", streams=playing) as site:
        yield site


@pytest.fixture(scope="module")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def chromium(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    """A browser whose microphone hears somebody speak."""
    with browser(
        playwright, write(tmp_path_factory.mktemp("heard") / "speech.wav", speech(rate=48000), 48000)
    ) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def window(chromium: Browser) -> Iterator[Visitor]:
    window = Visitor(chromium, "about:blank")
    yield window
    window.close()


@pytest.fixture
def visitor(window: Visitor, site: Site) -> Iterator[Visitor]:
    """Somebody who has just come, in the window of whoever left before."""
    window.come(site.url)
    yield window
    window.leave()
    assert window.problems == []
    assert window.hosts - {None} == {"127.0.0.1"}


def test_rows_move_when_their_order_is_clearly_wrong_and_then_rest(visitor: Visitor) -> None:
    visitor.page.emulate_media(reduced_motion="no-preference")
    orders = visitor.page.evaluate(
        """async () => {
            const { Rows } = await import("/streamtag/static/rows.js");
            const list = document.createElement("ol");
            document.body.append(list);
            const rows = new Rows(list);
            const read = () => [...list.querySelectorAll(".st-row-name")].map((name) => name.textContent);
            const steps = [
                [0, [150, 0]], [1000, [100, 115]], [2000, [100, 150]], [3000, [150, 100]],
                [5000, [150, 100]], [6000, [0, 70]], [8000, [0, 70]], [8100, [200, 70]],
            ];
            const orders = steps.map(([now, scores]) => {
                rows.show(["Rain", "Speech"], Uint8Array.from(scores), now);
                return read().join(" ").trimEnd();
            });
            list.remove();
            return orders;
        }"""
    )
    assert orders == [
        "Rain",
        "Rain Speech",  # stronger, but hardly
        "Speech Rain",
        "Speech Rain",  # they have moved just now
        "Rain Speech",
        "Speech",  # a row that becomes free leaves no gap, whenever that is
        "Speech",
        "Rain Speech",  # far stronger: that does not wait
    ]


def test_past_events_are_found_heard_and_downloaded(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("History")
    history = page.locator("#st-history")
    history.get_by_label("Sound").fill("mus")
    expect(history.locator("tbody tr").first).to_contain_text("Music")
    names = history.locator("tbody tr td.st-wide").all_inner_texts()
    assert all("mus" in name.lower() for name in names)
    play = history.get_by_role("button", name="Play Music").first
    with page.expect_response("**/streamtag/history/clips/*") as heard:
        play.click()
    assert heard.value.headers["content-type"] == "audio/wav"
    with page.expect_download() as saved:
        history.get_by_role("link", name="Download Music").first.click()
    assert Path(saved.value.path()).read_bytes()[:4] == b"RIFF"
    with page.expect_download() as saved:
        history.get_by_text("CSV", exact=True).click()
    rows = list(csv.DictReader(io.StringIO(Path(saved.value.path()).read_text())))
    assert {row["label"] for row in rows} == set(names)
    history.get_by_label("Sound").fill("no such sound")
    expect(history.get_by_text("Nothing was found.")).to_be_visible()


def test_thresholds_open_with_what_was_heard_last_and_leave_a_choice_alone(visitor: Visitor) -> None:
    page = visitor.page
    expect(page.locator("#st-live .st-event-name").first).to_be_visible()
    visitor.open("Thresholds")
    tuning = page.locator("#st-tuning")
    expect(tuning.get_by_label("Stream")).to_have_value("demo")
    expect(tuning.get_by_label("Sound")).not_to_have_value("")
    expect(tuning.locator(".st-count")).to_contain_text("There would have been")
    tuning.get_by_label("Sound").fill("")
    updates = page.locator("#st-live .st-meter-bar")
    expect(updates).not_to_have_attribute("data-updates", updates.get_attribute("data-updates") or "")
    expect(tuning.get_by_label("Sound")).to_have_value("")


def test_the_header_counts_streams_by_how_they_are(visitor: Visitor) -> None:
    told = visitor.page.evaluate(
        """async (services) => {
            const { words } = await import("/streamtag/static/header.js");
            return services.map((service) => words({ state: "connected", ...service }));
        }""",
        [
            {"streams": ["a", "b"], "states": {"live": 2}},
            {"streams": ["a"], "states": {"live": 1}},
            {"streams": ["a", "b", "c"], "states": {"reconnecting": 1, "live": 2}},
            {"streams": ["a", "b"], "states": {"failed": 1, "ended": 1}},
            {"streams": [], "states": {}},
            {"streams": ["a", "b"]},  # a service of before it told
        ],
    )
    assert told == [
        "Connected: 2 live",
        "Connected: 1 live",
        "Connected: 2 live, 1 reconnecting",
        "Connected: 1 failed, 1 ended",
        "Connected: 0 streams",
        "Connected: 2 streams",
    ]


def test_the_wall_leads_to_a_stream_and_says_how_it_is(visitor: Visitor) -> None:
    visitor.open("Streams")
    tile = visitor.page.locator("#st-streams").get_by_role("button", name="demo")
    expect(tile.locator(".st-tile-state")).to_have_text("Live")
    expect(tile.locator(".st-tile-sound")).to_contain_text(re.compile(r" 0\.\d\d"))
    tile.click()
    expect(visitor.page.locator("#st-live .st-stream")).to_have_value("demo")
    expect(visitor.page.locator("#st-live .st-state-text")).to_contain_text("Live since")


def test_a_day_is_seen_at_a_glance_and_a_field_shows_its_events(visitor: Visitor) -> None:
    visitor.open("Day")
    view = visitor.page.locator("#st-day")
    music = view.get_by_role("row", name=re.compile("^Music"))
    expect(music.locator(".st-day-total")).to_have_text(re.compile("[1-9]"))
    music.get_by_role("button").first.press("Enter")
    expect(view.locator(".st-field-events h2")).to_contain_text("Music, ")
    expect(view.locator(".st-field-events li").first).to_contain_text("demo")
    view.get_by_label("Week", exact=True).check()
    expect(view.locator(".st-day-hour")).to_have_count(7)
    expect(music.locator(".st-day-total")).to_have_text(re.compile("[1-9]"))
    view.get_by_role("button", name="Earlier").click()
    expect(view.get_by_text("The history does not reach back so far.")).to_be_visible()


def test_moved_thresholds_show_their_events_and_reach_the_service(visitor: Visitor, site: Site) -> None:
    page, usual = visitor.page, site.config.read_text()
    visitor.open("Thresholds")
    tuning = page.locator("#st-tuning")
    tuning.get_by_label("Sound").fill("Music")
    count = tuning.locator(".st-count")
    expect(count).to_contain_text(re.compile("been [1-9]"))
    tuning.get_by_label("Begins at").fill("1")
    tuning.get_by_label("Ends below").fill("1")
    fired = tuning.locator(".st-fired")
    before = fired.inner_text()
    tuning.get_by_label("Begins at").fill("0")
    expect(tuning.get_by_label("Ends below")).to_have_value("0")
    expect(fired).not_to_have_text(before, use_inner_text=True)  # one event, from the first patch on
    tuning.get_by_label("Begins at").fill("0.5")
    tuning.get_by_role("button", name="Save for this sound").click()
    expect(tuning.get_by_text("Saved.")).to_be_visible()
    text = site.config.read_text()
    assert text.startswith("# Ours\n")
    assert tomllib.loads(text)["events"]["labels"] == {"Music": {"on": 0.5, "off": 0.0}}
    wait_until(lambda: "reloaded" in site.service.log(), 60, "the service's reload")
    reloads = site.service.log().count("reloaded")
    site.config.write_text(usual)
    wait_until(lambda: site.service.log().count("reloaded") > reloads, 60, "the usual thresholds")


def test_a_group_is_made_of_all_below_a_sound_and_heard_as_one_more_sound(visitor: Visitor, site: Site) -> None:
    visitor.open("Groups")
    view = visitor.page.locator("#st-groups")
    expect(view.get_by_text("There is no group yet.")).to_be_visible()
    view.get_by_role("button", name="New group").click()
    view.get_by_label("Name").fill("Any music")
    view.get_by_label("Find a sound").fill("musi")
    view.get_by_role("button", name=re.compile("^Add all .* below Music$")).click()
    view.get_by_role("button", name="Save").click()
    expect(view.get_by_text("Saved.")).to_be_visible()
    assert "Music" in tomllib.loads(site.config.read_text())["groups"]["Any music"]
    visitor.open("Live")
    expect(visitor.page.locator("#st-live .st-row-name", has_text="Any music")).to_be_visible()
    visitor.open("Groups")
    view.get_by_role("button", name="Remove").click()
    expect(view.get_by_text("There is no group yet.")).to_be_visible()


def test_an_alert_is_tried_saved_told_edited_and_removed(visitor: Visitor, site: Site) -> None:
    visitor.open("Alerts")
    view = visitor.page.locator("#st-alerts")
    expect(view.get_by_text("There is no alert yet.")).to_be_visible()
    view.get_by_role("button", name="New alert").click()
    view.get_by_label("Name").fill("Somebody plays")
    view.get_by_label("Sound", exact=True).fill("Musik")
    view.get_by_role("button", name="Try on the last day").click()
    expect(view.get_by_text('did you mean "Music"')).to_be_visible()
    view.get_by_label("Sound", exact=True).fill("Music")
    view.get_by_label("At most once in").fill("5")
    view.get_by_role("button", name="Try on the last day").click()
    expect(view.locator(".st-count")).to_contain_text(re.compile("it would have told (once|[0-9]+ times)"))
    expect(view.locator(".st-tried li").first).to_contain_text("Music")
    view.get_by_role("button", name="Save").click()
    expect(view.get_by_text("Saved.")).to_be_visible()
    (saved,) = tomllib.loads(site.config.read_text())["alert"]
    assert saved == {"name": "Somebody plays", "when": "Music", "cooldown_seconds": 5}
    view.get_by_role("button", name="Edit Somebody plays").click()
    view.get_by_label("When").select_option("it is loud")
    view.get_by_label("Level at least").fill("-90")
    view.get_by_role("button", name="Save").click()
    expect(view.locator(".st-alert-list")).to_contain_text("Louder than -90 dBFS")
    expect(view.locator(".st-told li").first).to_contain_text("Somebody plays")
    view.get_by_label("Add to: Not while this is heard").fill("Speech")
    view.get_by_label("Add to: Not while this is heard").press("Enter")
    view.get_by_role("button", name="Save").click()
    expect(view.locator(".st-alert-list")).to_contain_text("unless Speech is heard")
    view.get_by_role("button", name="Remove").click()
    expect(view.get_by_text("There is no alert yet.")).to_be_visible()
    assert "alert" not in tomllib.loads(site.config.read_text())
    visitor.problems.clear()  # the browser itself notes the refusal


def test_a_sound_that_is_chosen_before_the_view_is_there_stays_chosen(visitor: Visitor) -> None:
    page = visitor.page
    expect(page.locator("#st-live .st-event-name").first).to_be_visible()
    held: list[Route] = []
    page.route("**/tuning.js", lambda route: held.append(route))
    with page.expect_request("**/tuning.js"):
        visitor.open("Thresholds")
    tuning = page.locator("#st-tuning")
    tuning.get_by_label("Sound").fill("Music")
    held[0].continue_()
    expect(tuning.locator(".st-count")).to_contain_text("There would have been")
    expect(tuning.get_by_label("Sound")).to_have_value("Music")


def test_a_line_that_is_moved_while_a_sound_is_looked_up_stays_where_it_is(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("Thresholds")
    tuning = page.locator("#st-tuning")
    expect(tuning.locator(".st-count")).to_contain_text("There would have been")
    held: list[Route] = []
    looked_up, tried = re.compile(r"/tuning\?.*label=Music"), re.compile(r"/tuning/preview\?.*label=Music&on=0.9")
    page.route(looked_up, lambda route: route.continue_() if held else held.append(route))
    with page.expect_request(looked_up):
        tuning.get_by_label("Sound").fill("Music")
    with page.expect_response(tried):
        tuning.get_by_label("Begins at").fill("0.9")
    with page.expect_response(tried):
        held[0].continue_()
    expect(tuning.get_by_label("Begins at")).to_have_value("0.9")


def test_a_dropped_recording_is_tagged_and_its_labels_run_along(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("Recording")
    recording = page.locator("#st-recording")
    expect(recording.get_by_label("Choose a recording")).to_be_enabled()
    page.evaluate(
        """([content, name]) => {
            const bytes = Uint8Array.from(atob(content), (letter) => letter.charCodeAt(0));
            const files = new DataTransfer();
            files.items.add(new File([bytes], name, { type: "audio/flac" }));
            const target = document.querySelector("#st-recording .st-drop");
            target.dispatchEvent(new DragEvent("drop", { dataTransfer: files, bubbles: true, cancelable: true }));
        }""",
        [base64.b64encode(DEMO.read_bytes()).decode(), "demo.flac"],
    )
    expect(recording.locator(".st-name")).to_have_text("demo.flac, 30.7 s")
    music = recording.get_by_role("button", name="Music at")
    expect(recording.locator(".st-row-name", has_text="Speech")).to_be_visible()
    music.first.press("Enter")
    expect(recording.locator(".st-where")).not_to_have_text("at 0:00")
    expect(recording.locator(".st-row-name", has_text="Music").first).to_be_visible()
    expect(recording.locator("audio")).to_be_visible()


def test_what_is_no_recording_is_refused_in_plain_words(visitor: Visitor) -> None:
    visitor.open("Recording")
    recording = visitor.page.locator("#st-recording")
    choice = recording.get_by_label("Choose a recording")
    expect(choice).to_be_enabled()
    choice.set_input_files({"name": "notes.wav", "mimeType": "audio/wav", "buffer": b"no sound"})
    expect(recording.get_by_text("This recording cannot be tagged")).to_be_visible()
    visitor.problems.clear()  # the browser itself notes the refusal


def test_three_microphones_lose_nothing_while_two_look_on(chromium: Browser, site: Site) -> None:
    viewers: list[Visitor] = []
    speakers: list[Visitor] = []
    try:
        # One after the other: five pages that begin at once share what may be a single core.
        for people, number in ((viewers, 2), (speakers, 3)):
            for _ in range(number):
                people.append(Visitor(chromium, site.url))
                people[-1].open("Live" if people is viewers else "My microphone")
        for speaker in speakers:
            speaker.page.get_by_role("button", name="Tag my microphone").click()
        for speaker in speakers:
            row = speaker.page.locator('#st-microphone .st-row[data-sure="true"] .st-row-name', has_text="Speech")
            expect(row.first).to_be_visible()
        rate = 44100  # what a browser without sound hardware runs at, or more
        for speaker in speakers:
            speaker.page.wait_for_function(
                "(most) => Number(document.querySelector('#st-microphone .st-counts').dataset.captured) >= most",
                arg=6 * rate,
                timeout=2 * PATIENCE_MS,
            )
        for speaker in speakers:
            microphone = speaker.page.locator("#st-microphone")
            microphone.get_by_role("button", name="Stop").click()
            expect(microphone.get_by_text("Nothing was lost.")).to_be_visible()
            counts = microphone.locator(".st-counts")
            captured = int(counts.get_attribute("data-captured") or 0)
            assert captured == int(counts.get_attribute("data-received") or 0) > 5 * rate
        for viewer in viewers:
            live = viewer.page.locator("#st-live")
            expect(live.locator(".st-state-text")).to_contain_text("Live since")
            assert live.locator(".st-stream option").all_inner_texts() == ["demo"]  # others' microphones are theirs
    finally:
        for visitor in viewers + speakers:
            visitor.close()
    assert [visitor.problems for visitor in viewers + speakers] == [[]] * 5


def test_the_page_goes_on_when_the_service_was_killed_and_returns(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    connection = page.locator(".st-connection-text")
    expect(connection).to_have_text("Connected: 1 live")
    site.service.kill()
    expect(connection).to_contain_text("stopped answering")
    expect(page.locator("#st-live .st-state-text")).to_contain_text("away")
    site.service.start()
    expect(connection).to_have_text("Connected: 1 live")
    expect(page.locator("#st-live .st-state-text")).to_contain_text("Live since")
    updates = page.locator("#st-live .st-meter-bar").get_attribute("data-updates")
    expect(page.locator("#st-live .st-meter-bar")).not_to_have_attribute("data-updates", updates or "")


def test_a_phone_shows_it_all_in_its_width(chromium: Browser, site: Site) -> None:
    look: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "color_scheme": "dark"}
    phone = Visitor(chromium, site.url, reduced_motion="no-preference", **look)
    try:
        expect(phone.page.locator("#st-live .st-row-name").first).not_to_be_empty()
        assert phone.page.evaluate("document.documentElement.scrollWidth") <= 390
        assert phone.page.evaluate("document.body.classList.contains('dark')")
    finally:
        phone.close()


def test_tabs_and_controls_work_from_the_keyboard_and_have_names(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("tab", name="Live").focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(page.get_by_role("tab", name="History")).to_have_attribute("aria-selected", "true")
    expect(page.locator("#st-history .st-view")).to_be_visible()
    nameless = page.evaluate(
        """() => [...document.querySelectorAll("button, input, select, a[href], canvas, audio")]
            .filter((element) => element.closest(".st-view, .st-header") && element.offsetParent !== null)
            .filter((element) => !(element.getAttribute("aria-label") || element.textContent.trim()
                || (element.labels && element.labels.length))).map((element) => element.outerHTML)"""
    )
    assert nameless == []


def test_a_login_over_https_is_asked_for_and_a_wrong_password_does_not_open(
    chromium: Browser, site: Site, tmp_path: Path
) -> None:
    (tmp_path / "password").write_text("correct horse\n")
    authority = make_authority(tmp_path)
    tls = ("--tls-cert", authority.selfmade, "--tls-key", tmp_path / "self.key")
    with PageServer(site.config, "--auth", f"anna:{tmp_path / 'password'}", *tls) as server:
        visitor = Visitor(chromium, server.url, ignore_https_errors=True)
        page = visitor.page
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill("wrong")
        page.get_by_role("button", name="Log in").click()
        expect(page.get_by_role("alert")).to_have_text("That was not the right name or password.")
        page.get_by_label("Name").fill("anna")
        page.get_by_label("Password").fill("correct horse")
        page.get_by_role("button", name="Log in").click()
        expect(page.locator(".st-connection-text")).to_contain_text("Connected")
        (cookie,) = visitor.context.cookies()
        assert (cookie["secure"], cookie["httpOnly"], cookie["sameSite"]) == (True, True, "Lax")
        page.get_by_role("button", name="Log out").click()
        expect(page.get_by_label("Password")).to_be_visible()
        page.goto(server.url)
        expect(page.get_by_label("Password")).to_be_visible()
        visitor.close()
        assert server.page.stop() == 0


def test_a_chirp_reaches_the_service_whole(playwright: Playwright, tmp_path: Path, site: Site) -> None:
    """The pitch of a rising tone tells its place, so that what a browser leaves out would show in the spectrum."""
    with browser(playwright, write(tmp_path / "chirp.wav", chirp(6.0, 300, 6000, 48000), 48000)) as chromium:
        visitor = Visitor(chromium, site.url)
        visitor.open("My microphone")
        visitor.page.get_by_role("button", name="Tag my microphone").click()
        bands = visitor.page.evaluate(
            """async () => {
                const { Feed } = await import("/streamtag/static/feed.js");
                const bands = [];
                const handle = Feed.prototype.handle;
                return await new Promise((resolve) => {
                    Feed.prototype.handle = function (data) {
                        if (typeof data !== "string" && this.stream.startsWith("browser-")
                            && new DataView(data).getUint8(0) === 1) {
                            const columns = new Uint8Array(data, 17);
                            for (let at = 0; at < columns.length; at += 64) {
                                const frame = columns.subarray(at, at + 64);
                                const loudest = Math.max(...frame);
                                if (loudest > 60) bands.push(frame.indexOf(loudest));
                            }
                            if (bands.length > 550) { Feed.prototype.handle = handle; resolve(bands); }
                        }
                        return handle.call(this, data);
                    };
                });
            }"""
        )
        visitor.close()
    steps = [after - before for before, after in pairwise(bands)]
    rising = [step for step in steps if step > -20]  # the tone begins anew once
    assert len(steps) - len(rising) <= 2
    assert max(rising) <= 2
    assert min(rising) >= -2


def test_the_live_page_shows_what_the_recording_holds(visitor: Visitor) -> None:
    """Last of all: by now the recording was played once, and the page shows what was heard before it came."""
    page = visitor.page
    live = page.locator("#st-live")
    for label in ("Speech", "Music", "Rain"):
        expect(live.locator(".st-heatmap-names li", has_text=label).first).to_be_visible()
        expect(live.locator(".st-event-name", has_text=label).first).to_be_attached()
    expect(live.locator('.st-row[data-sure="true"]').first).to_be_visible()
    expect(live.locator(".st-state-text")).to_contain_text("Live since")
    expect(live.get_by_role("meter", name="Level")).to_have_attribute("aria-valuetext", "silence")
    expect(live.get_by_role("meter", name="Level")).not_to_have_attribute("aria-valuetext", "silence")
