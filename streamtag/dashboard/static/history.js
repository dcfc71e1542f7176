// Events of the past: search, listen, download.

import { clock, day, fillList, fillSelect, length, make, score } from "./format.js";

const REFRESH_MS = 5000;
const TYPING_MS = 250;

export function mount(element) {
  const form = element.querySelector("form");
  const table = element.querySelector("table");
  const body = table.querySelector("tbody");
  const note = element.querySelector(".st-empty");
  const more = element.querySelector(".st-more");
  const own = element.querySelector(".st-own");
  const player = new Audio();
  let last = null;
  let pages = 1;
  let question = 0;
  let playing = null;

  function wishes() {
    const fields = new FormData(form);
    const query = new URLSearchParams({ text: fields.get("text"), stream: fields.get("stream") });
    const span = fields.get("span");
    const moment = (name) => (fields.get(name) ? String(new Date(fields.get(name)).getTime() / 1000) : "");
    if (span === "own") {
      query.set("since", moment("since"));
      query.set("until", moment("until"));
    } else if (span) {
      query.set("since", (Date.now() / 1000 - Number(span)).toFixed(0));
    }
    return query;
  }

  async function search(append = false) {
    const mine = (question += 1);
    const query = wishes();
    if (append && last) {
      query.set("before_time", last.time.toFixed(6));
      query.set("before_id", last.id);
    }
    let answer;
    try {
      answer = await (await fetch(`streamtag/history?${query}`)).json();
    } catch {
      answer = { error: "The page's server does not answer." };
    }
    if (mine !== question) return;
    table.hidden = true;
    note.hidden = false;
    if (answer.error) {
      note.textContent = answer.error;
      more.hidden = true;
      return;
    }
    fillList(element.querySelector("datalist"), answer.labels);
    fillSelect(form.elements.stream, ["", ...answer.streams], (name) => name || "all");
    if (!append) {
      body.replaceChildren();
      pages = 0;
    }
    pages += 1;
    body.append(...answer.events.map(row));
    last = answer.events.at(-1) || last;
    more.hidden = !answer.more;
    note.textContent = "Nothing was found.";
    table.hidden = !body.children.length;
    note.hidden = !table.hidden;
  }

  function row(event) {
    const line = make("tr");
    line.append(
      make("td", "", `${day(event.time)}, ${clock(event.time)}`),
      make("td", "st-wide", event.label),
      make("td", "", event.stream),
      make("td", "st-number", event.on ? "going on" : event.seconds === null ? "unknown" : length(event.seconds)),
      make("td", "st-number", score(event.peak)),
    );
    const cell = make("td");
    if (event.clip) {
      const address = `streamtag/history/clips/${event.id}`;
      const play = make("button", "st-play", player.src.endsWith(address) && !player.paused ? "Stop" : "Play");
      play.type = "button";
      play.setAttribute("aria-label", `Play ${event.label} at ${clock(event.time)}`);
      play.onclick = () => toggle(address, play);
      const link = make("a", "st-link", "Download");
      link.href = `${address}?download=1`;
      link.setAttribute("aria-label", `Download ${event.label} at ${clock(event.time)}`);
      cell.append(play, link);
    }
    line.append(cell);
    return line;
  }

  function toggle(address, button) {
    const again = player.src.endsWith(address) && !player.paused;
    player.pause();
    if (playing) playing.textContent = "Play";
    if (again) return;
    player.src = address;
    playing = button;
    button.textContent = "Stop";
    player.play().catch(() => { button.textContent = "Play"; });
  }

  player.onended = () => { if (playing) playing.textContent = "Play"; };
  let typing = 0;
  form.oninput = () => {
    own.hidden = form.elements.span.value !== "own";
    clearTimeout(typing);
    typing = setTimeout(search, TYPING_MS);
  };
  form.onsubmit = (event) => { event.preventDefault(); search(); };
  more.onclick = () => search(true);
  for (const link of element.querySelectorAll("[data-form]")) {
    link.href = "#";
    link.onclick = () => { link.href = `streamtag/history/export?${wishes()}&form=${link.dataset.form}`; };
  }

  const isShown = () => element.offsetParent !== null && !document.hidden;
  new IntersectionObserver(([entry]) => { if (entry.isIntersecting) search(); }).observe(element);
  // A list that somebody reads, walks through or listens to stays as it is.
  const isRead = () => pages > 1 || !player.paused || scrollY > 200 || table.contains(document.activeElement);
  setInterval(() => { if (isShown() && !isRead()) search(); }, REFRESH_MS);
}
