// A day at a glance: hours by sounds, with counts; weeks by day.

import { ask, clock, day, fillSelect, length, make, onTheme, score, setText } from "./format.js";
import { CountTable } from "./count_table.js";
import { edgesOf, merged, periodOf, shifted } from "./periods.js";
import { onShown, open } from "./views.js";

const REFRESH_MS = 20000;
const ROWS = 20;
const SHOWN_EVENTS = 50;
const narrow = matchMedia("(max-width: 640px)");

export function mount(element) {
  const find = (selector) => element.querySelector(selector);
  const [form, note, more, legend] = [find("form"), find(".st-counted > .st-empty"), find(".st-more"), find(".st-legend")];
  const [events, list] = [find(".st-field-events"), find(".st-field-events ol")];
  const table = new CountTable(find("table"), showField);
  let moment = new Date();
  let follows = true; // now, as it goes on
  let answer = null;
  let field = null;
  let isWhole = false;
  let shown = false;
  let question = 0;

  const kind = () => form.elements.span.value;

  async function load() {
    if (follows) moment = new Date();
    const mine = (question += 1);
    const period = periodOf(kind(), moment);
    setText(find(".st-when"), period.title);
    find(".st-after").disabled = period.end * 1000 > Date.now();
    const stream = form.elements.stream.value;
    const edges = edgesOf(kind(), period);
    const query = new URLSearchParams({ edges: edges.join(","), earlier: period.earlier, stream });
    const told = await ask(`streamtag/day?${query}`);
    if (mine !== question) return;
    answer = told.error ? null : { ...told, edges, period, stream };
    setText(note, told.error ?? (told.labels.length ? "" : emptyWords(told, period)));
    if (!told.error) fillSelect(form.elements.stream, ["", ...told.streams], (name) => name || "all");
    draw();
  }

  function draw() {
    const labels = answer?.labels ?? [];
    note.hidden = labels.length > 0;
    table.element.hidden = legend.hidden = !labels.length;
    more.hidden = isWhole || labels.length <= ROWS;
    if (!labels.length) return;
    setText(more, `Show all ${labels.length} sounds`);
    const { edges, period, compared } = answer;
    const step = kind() === "day" && narrow.matches ? 2 : 1;
    const rows = isWhole ? labels : labels.slice(0, ROWS);
    table.show(merged(edges, rows, step), { kind: kind(), compared });
    const before = { day: "days", week: "weeks", weeks: "four weeks" }[kind()];
    setText(legend, compared
      ? `Usual is the mean of the ${compared > 1 ? `${compared} ` : ""}${before} before${period.isNow ? ", until the same time" : ""}. Press a field to see its events.`
      : "Press a field to see its events. What is usual is told as soon as the history reaches further back.");
  }

  async function showField({ label, begin, end, count }) {
    field = { label, begin, end, stream: answer.stream };
    events.hidden = false;
    setText(events.querySelector("h2"), `${label}, ${spanWords(begin, end)}`);
    setText(events.querySelector(".st-empty"), "Looking …");
    list.replaceChildren();
    const mine = field;
    const query = new URLSearchParams({ label, since: begin, until: end - 0.001, stream: field.stream });
    const told = await ask(`streamtag/history?${query}`);
    if (mine !== field) return;
    const found = told.events ?? [];
    const words = found.length < count ? `The newest ${Math.min(found.length, SHOWN_EVENTS)} of ${count}.` : "";
    setText(events.querySelector(".st-empty"), told.error ?? words);
    events.querySelector(".st-empty").hidden = !told.error && !words;
    list.replaceChildren(...found.slice(0, SHOWN_EVENTS).map((event) => {
      const item = make("li", "st-event");
      const when = kind() === "day" ? clock(event.time) : `${day(event.time)}, ${clock(event.time)}`;
      const seconds = event.on ? "going on" : event.seconds === null ? "" : length(event.seconds);
      item.append(make("time", "", when), make("span", "st-event-name", `${event.stream} · up to ${score(event.peak)}`));
      item.append(make("span", "st-event-length", seconds));
      return item;
    }));
    events.scrollIntoView({ block: "nearest", behavior: "smooth" });
  }

  function move(step) {
    moment = shifted(kind(), moment, step);
    follows = periodOf(kind(), moment).end * 1000 > Date.now();
    events.hidden = true;
    load();
  }

  find(".st-before").onclick = () => move(-1);
  find(".st-after").onclick = () => move(1);
  find(".st-to-history").onclick = () => open("history", field);
  more.onclick = () => { isWhole = true; draw(); };
  form.onsubmit = (event) => event.preventDefault();
  form.onchange = () => { events.hidden = true; load(); };
  narrow.onchange = draw;
  onTheme(draw);
  onShown((name) => { shown = name === "day"; if (shown) load(); });
  setInterval(() => { if (shown && follows && !document.hidden) load(); }, REFRESH_MS);
}

function emptyWords({ oldest }, { begin, end }) {
  if (oldest === null || oldest >= end) return "The history does not reach back so far.";
  return begin * 1000 > Date.now() ? "That is still to come." : "Nothing was heard.";
}

function spanWords(begin, end) {
  const hours = (seconds) => new Date(1000 * seconds).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  return end - begin > 40000 ? day(begin) : `${day(begin)}, ${hours(begin)} to ${hours(end)}`;
}
