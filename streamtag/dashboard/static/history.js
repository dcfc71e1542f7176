// Events of the past: search, listen, download.

import { ask, fillList, fillSelect, onTheme, setText } from "./format.js";
import { EventRow, tint } from "./event_row.js";
import { Likeness } from "./likeness.js";
import { Player } from "./player.js";
import { Review } from "./review.js";
import { onOpened, open } from "./views.js";

const REFRESH_MS = 5000;
const TYPING_MS = 250;

export function mount(element) {
  const form = element.querySelector("form");
  const table = element.querySelector("table");
  const body = table.querySelector("tbody");
  const note = element.querySelector("[aria-label='Events found'] > .st-empty");
  const more = element.querySelector(".st-more");
  const own = element.querySelector(".st-own");
  const said = element.querySelector(".st-said");
  const player = new Player();
  const likeness = new Likeness(element.querySelector(".st-likeness"), {
    player, onTeach: (event) => open("teach", { event }),
  });
  const isShown = () => element.offsetParent !== null && !document.hidden;
  const review = new Review(isShown);
  let rows = [];
  let exact = null; // a field of the day that led here: its label, stream and time
  let last = null;
  let pages = 1;
  let question = 0;

  function conditions() {
    const fields = new FormData(form);
    const query = new URLSearchParams({ text: fields.get("text"), stream: fields.get("stream") });
    if (exact && exact.label === fields.get("text")) {
      query.set("label", exact.label);
      query.delete("text");
    }
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
    const query = conditions();
    if (append && last) {
      query.set("before_time", last.time.toFixed(6));
      query.set("before_id", last.id);
    }
    const answer = await ask(`streamtag/history?${query}`);
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
      rows = [];
      pages = 0;
    }
    pages += 1;
    const found = answer.events.map(row);
    body.append(...found.map((each) => each.element));
    rows = [...rows, ...found];
    review.set(rows);
    last = answer.events.at(-1) || last;
    more.hidden = !answer.more;
    note.textContent = "Nothing was found.";
    table.hidden = !body.children.length;
    note.hidden = !table.hidden;
  }

  function row(event) {
    return new EventRow(event, {
      player,
      onLike: (each) => likeness.show(each.event),
      onTeach: (each) => open("teach", { event: each.event }),
      onSaid: (words) => setText(said, words),
    });
  }

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
    link.onclick = () => { link.href = `streamtag/history/export?${conditions()}&form=${link.dataset.form}`; };
  }

  onOpened("history", (field) => {
    exact = field;
    const local = (seconds) => new Date(1000 * seconds - 60000 * new Date(1000 * seconds).getTimezoneOffset()).toISOString().slice(0, 19);
    form.elements.text.value = field.label;
    if ([...form.elements.stream.options].some((option) => option.value === field.stream)) form.elements.stream.value = field.stream;
    form.elements.span.value = "own";
    form.elements.since.value = local(field.begin);
    form.elements.until.value = local(field.end - 1);
    own.hidden = false;
    search();
  });
  onTheme(() => { for (const picture of element.querySelectorAll(".st-picture")) tint(picture); });

  new IntersectionObserver(([entry]) => { if (entry.isIntersecting) search(); }).observe(element);
  // A list that somebody reads, walks through or listens to stays as it is.
  const isRead = () => pages > 1 || player.isPlaying || review.at >= 0 || scrollY > 200 || table.contains(document.activeElement);
  setInterval(() => { if (isShown() && !isRead()) search(); }, REFRESH_MS);
}
