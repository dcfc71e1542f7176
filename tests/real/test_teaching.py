"""A sound that no model knows is taught on the page, by three spans of a live stream, in a real browser."""

import re
from collections.abc import Iterator
from contextlib import closing

import numpy as np
import pytest
from playwright.sync_api import Browser, expect, sync_playwright

from streamtag.config import load_config
from streamtag.wire import Subscriber
from tests.real.browser import Site, Visitor, browser
from tests.sounds import noise, write

pytestmark = pytest.mark.timeout(300)

RATE = 16000
PATCHES = 6
LOOP_SECONDS = PATCHES * 0.96
"""Whole patches: each time round the model hears the very same ones."""
NAME = "Our doorbell"


def warble(seconds: float) -> np.ndarray:
    """Two tones that tremble against each other: nothing that the model has a label for."""
    times = np.arange(round(seconds * RATE)) / RATE
    first = np.sin(2 * np.pi * 900 * times + 12 * np.sin(2 * np.pi * 11 * times))
    second = np.sin(2 * np.pi * 2300 * times - 20 * np.sin(2 * np.pi * 7 * times))
    sound: np.ndarray = 0.25 * (first + second) * np.hanning(len(times)) ** 0.25
    return sound.astype(np.float32)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    folder = tmp_path_factory.mktemp("taught")
    sound = 0.003 * noise(LOOP_SECONDS, seed=3)
    bell = warble(1.5)
    sound[2 * RATE : 2 * RATE + len(bell)] += bell
    file = write(folder / "porch.wav", sound)
    stream = f'[[stream]]\nid = "porch"\nsource = "file:{file}"\nrealtime = true\nloop = true\n'
    with Site(folder, "--allow-write", streams=f"embeddings = true\n\n[page]\nlisten = true\n\n{stream}") as site:
        yield site


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    silence = write(tmp_path_factory.mktemp("silence") / "silence.wav", np.zeros(48000, np.float32), 48000)
    with sync_playwright() as playwright, browser(playwright, silence) as chromium:
        yield chromium


@pytest.fixture(scope="module")
def window(chromium: Browser) -> Iterator[Visitor]:
    window = Visitor(chromium, "about:blank")
    yield window
    window.close()


@pytest.fixture
def visitor(window: Visitor, site: Site) -> Iterator[Visitor]:
    window.come(site.url)
    yield window
    window.leave()
    assert window.problems == []


def scores_by_place(site: Site, labels: int) -> dict[int, np.ndarray]:
    """What each place of the loop scores, of the first so many labels."""
    found: dict[int, np.ndarray] = {}
    config = load_config(site.config)
    with closing(Subscriber(config.service.endpoint, streams=["porch"], kinds=["scores"])) as subscriber:
        while len(found) < PATCHES:
            message = subscriber.receive(60)
            assert message is not None
            assert message.patch is not None
            place = round(message.header["start"] / 0.96)
            if place >= PATCHES:  # before, no sound of the end of the loop was ahead of its beginning
                found[place % PATCHES] = message.patch[:labels].copy()
    return found


def test_a_made_sound_is_taught_by_three_spans_and_heard_in_the_next_minute(visitor: Visitor, site: Site) -> None:
    page = visitor.page
    visitor.open("Teach")
    view = page.locator("#st-teach")
    expect(view.get_by_text("Nothing was taught yet.")).to_be_visible()
    labels = page.evaluate(
        """async () => {
            const { sharedFeed } = await import("/streamtag/static/feed.js");
            return sharedFeed().service.labels.length;
        }"""
    )
    before = scores_by_place(site, labels)
    page.wait_for_function("() => document.querySelector('#st-teach [name=stream]')?.dataset.seconds >= 18")
    view.get_by_role("button", name="Mark in these 20 s").click()
    begin, end = view.get_by_role("slider", name="From"), view.get_by_role("slider", name="To")
    first = float(begin.input_value()) % LOOP_SECONDS
    places = [first + LOOP_SECONDS * turn for turn in range(4) if first + LOOP_SECONDS * turn < 17]
    for place in places[:3]:
        end.fill(f"{place + 1.5:.2f}")
        begin.fill(f"{place:.2f}")
        end.fill(f"{place + 1.5:.2f}")
        view.get_by_role("button", name="This is it").click()
    expect(view.locator(".st-examples li")).to_have_count(3)
    view.get_by_role("combobox", name="Name").fill("Music")
    view.get_by_role("button", name="Teach", exact=True).click()
    expect(view.locator("form .st-note")).to_contain_text("choose another name")
    visitor.problems.clear()  # the browser itself notes the refusal
    view.get_by_role("combobox", name="Name").fill(NAME)
    view.get_by_role("button", name="Teach", exact=True).click()
    expect(view.locator(".st-labels")).to_contain_text(NAME)
    expect(view.locator(".st-taught-now")).to_contain_text(re.compile(r"porch: (1\.00|0\.[5-9])"))
    expect(view.locator(".st-finds .st-find", has_text=NAME).first).to_be_visible()
    visitor.open("Live")
    expect(page.locator("#st-live .st-event-name", has_text=NAME).first).to_be_visible()
    after = scores_by_place(site, labels)
    for place, scores in before.items():
        np.testing.assert_array_equal(scores, after[place])


def test_an_answer_teaches_again_and_what_was_learnt_can_be_taken_back(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("Teach")
    view = page.locator("#st-teach")
    view.get_by_role("combobox", name="Name").fill(NAME)
    find = view.locator(".st-finds .st-find", has_text=NAME).first
    expect(find).to_be_visible()
    find.get_by_role("button", name="Yes, this is").click()
    expect(view.locator("form .st-note")).to_contain_text("was taught again")
    expect(view.locator(".st-verdicts li").first).to_contain_text(f"✓ right: {NAME}, porch")
    view.get_by_role("button", name=re.compile("^Take back")).first.click()
    expect(view.locator(".st-verdicts li")).to_have_count(0)
    view.get_by_role("button", name=f"Remove {NAME}").click()
    expect(view.locator("form .st-note")).to_contain_text("is forgotten")


def test_events_are_reviewed_from_the_keyboard_and_lead_to_others_like_them(visitor: Visitor) -> None:
    page = visitor.page
    visitor.open("History")
    view = page.locator("#st-history")
    expect(view.locator("tbody tr:has(img)").first).to_be_visible()
    row = view.locator('tr[aria-current="true"]')
    page.keyboard.press("j")
    expect(row).to_have_count(1)
    while not row.locator("img").count():  # the newest have no recording yet
        page.keyboard.press("j")
    page.keyboard.press("n")
    expect(view.locator(".st-said")).to_contain_text(re.compile("kept|taught again"))
    expect(row.get_by_role("button", name="Wrong")).to_have_attribute("aria-pressed", "true")
    with page.expect_request("**/streamtag/history/clips/*"):
        page.keyboard.press(" ")
    page.keyboard.press("n")
    expect(view.locator(".st-said")).to_contain_text("taken back")
    row.get_by_role("button", name="More like this").click()
    expect(view.locator(".st-likeness .st-moment").first).to_contain_text("alike")
    view.get_by_role("button", name="Teach this sound").click()
    expect(page.locator("#st-teach .st-picker-box img")).to_be_visible()
    expect(page.locator("#st-teach .st-origin")).to_contain_text("porch")


def test_a_stream_is_heard_in_the_browser(visitor: Visitor) -> None:
    page = visitor.page
    page.get_by_role("button", name="Listen").click()
    expect(page.get_by_role("button", name="Stop listening")).to_have_attribute("aria-pressed", "true")
    loudest = page.evaluate(
        """async () => {
            const { Listener } = await import("/streamtag/static/listener.js");
            return await new Promise((resolve) => {
                const listener = new Listener("porch", { onPiece: (each) => {
                    const most = each.samples().reduce((top, value) => Math.max(top, value), 0);
                    if (most > 5000) { listener.stop(); resolve(each.rate); }
                } });
            });
        }"""
    )
    assert loudest == RATE
    page.get_by_role("button", name="Stop listening").click()
    expect(page.get_by_role("button", name="Listen")).to_be_visible()
