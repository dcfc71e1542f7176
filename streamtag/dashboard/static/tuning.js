// Thresholds: what events would there have been?

import { ask, clock, fillList, fillSelect, length, make, score, setText } from "./format.js";
import { sharedFeed } from "./feed.js";
import { Plot } from "./plot.js";

const REFRESH_MS = 10000;
const SETTLE_MS = 40;
const HOUR = 3600;
const SILENCE = "Silence";

export function mount(element) {
  const find = (selector) => element.querySelector(selector);
  const [stream, label] = [find("[name=stream]"), find("[name=label]")];
  const sliders = { on: find("[name=on]"), off: find("[name=off]") };
  const [note, count, fired] = [find(".st-note"), find(".st-count"), find(".st-fired")];
  const [empty, tuned, save] = [find(".st-empty"), find(".st-tuned"), find(".st-save")];
  const plot = new Plot(find(".st-plot"), (name, value) => move(name, value));
  const feed = sharedFeed();
  let saved = null;
  let loads = 0;
  let question = 0;
  let placed = false; // the lines: by an answer, or by hand
  let settling = 0;
  let chosen = label.value !== ""; // whoever is quick has chosen before this was there

  const isShown = () => element.offsetParent !== null && !document.hidden;
  const query = (more = {}) => new URLSearchParams({ stream: stream.value, label: label.value, ...more });
  const lines = () => ({ on: sliders.on.value, off: sliders.off.value });

  async function load() {
    const labels = feed.service.labels;
    if (!stream.value || !labels.includes(label.value)) return;
    const mine = (loads += 1);
    const answer = await ask(`streamtag/tuning?${query()}`);
    if (mine !== loads) return;
    empty.hidden = !answer.error;
    tuned.hidden = Boolean(answer.error);
    if (answer.error) {
      empty.textContent = answer.error;
      return;
    }
    saved = { on: answer.on, off: answer.off, cannot: answer.cannot_save };
    save.disabled = Boolean(answer.cannot_save);
    const keep = placed; // they may have been moved while the answer was on its way
    if (!keep) {
      setText(note, answer.cannot_save);
      setLines(answer);
      placed = true;
    }
    plot.show({ times: answer.times, scores: answer.scores, on: Number(sliders.on.value), off: Number(sliders.off.value) });
    if (keep) preview();
    else showEvents(answer.events);
  }

  function loadAnew() {
    placed = false;
    question += 1; // what was asked of other lines is of no use
    clearTimeout(settling);
    load();
  }

  function setLines({ on, off }) {
    sliders.on.value = on;
    sliders.off.value = off;
    for (const slider of Object.values(sliders)) setText(slider.nextElementSibling, score(Number(slider.value)));
    plot.show({ on: Number(sliders.on.value), off: Number(sliders.off.value) });
  }

  // The end's line is never above the beginning's: one pushes the other.
  function move(name, value) {
    const on = name === "on" ? value : Math.max(value, Number(sliders.on.value));
    const off = name === "off" ? value : Math.min(value, Number(sliders.off.value));
    placed = true;
    setLines({ on, off });
    setText(note, saved?.cannot || "Not saved yet.");
    clearTimeout(settling);
    settling = setTimeout(preview, SETTLE_MS);
  }

  async function preview() {
    const mine = (question += 1);
    const answer = await ask(`streamtag/tuning/preview?${query(lines())}`);
    if (mine === question && !answer.error) showEvents(answer.events);
  }

  function showEvents(events) {
    plot.show({ events });
    const times = events.length === 1 ? "1 event" : `${events.length} events`;
    const seconds = plot.times.at(-1) - plot.times[0];
    setText(count, `There would have been ${times} in the last ${seconds > HOUR - 60 ? "hour" : length(seconds)}.`);
    fired.replaceChildren(...[...events].reverse().slice(0, 50).map((event) => {
      const item = make("li", "st-event");
      item.append(make("time", "", clock(event.begin)), make("span", "st-event-length", length(event.end - event.begin)));
      item.append(make("span", "st-event-score", `up to ${score(event.peak)}`));
      return item;
    }));
  }

  for (const [name, slider] of Object.entries(sliders)) slider.oninput = () => move(name, Number(slider.value));
  find(".st-reset").onclick = loadAnew;
  save.onclick = async () => {
    const answer = await ask(`streamtag/tuning/save?${query(lines())}`, "POST");
    setText(note, answer.error || "Saved. The service takes it over by itself.");
    if (answer.saved) saved = { ...saved, ...lines() };
  };
  stream.onchange = loadAnew;
  label.oninput = () => { chosen = true; loadAnew(); };
  feed.on("service", (service) => {
    fillSelect(stream, service.streams);
    fillList(find("datalist"), [...service.labels].sort());
    if (!saved && isShown()) load();
  });
  // Nobody has chosen yet: what was heard last of the stream that is looked at.
  let heard = "";
  const pick = (event) => { if (event.label !== SILENCE || !heard) heard = event.label; };
  feed.on("events", ({ events }) => { heard = ""; for (const event of events) pick(event); });
  feed.on("event", pick);
  feed.on("scores", ({ rolling }) => {
    if (!heard) heard = feed.labels[rolling.indexOf(Math.max(...rolling))] || "";
    if (isShown() && !chosen) open();
  });

  function open() {
    if (!chosen && heard) {
      chosen = true;
      placed = false;
      if (feed.service.streams.includes(feed.stream)) stream.value = feed.stream;
      label.value = heard;
    }
    load();
  }

  new IntersectionObserver(([entry]) => { if (entry.isIntersecting) open(); }).observe(element);
  setInterval(() => { if (isShown()) load(); }, REFRESH_MS);
}
