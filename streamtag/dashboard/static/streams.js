// The wall: all streams, forty at a time, each with its state, level, strongest sound, last event and what was lost.

import { ask, setText } from "./format.js";
import { showNodes } from "./nodes.js";
import { Tile } from "./tile.js";
import { onShown, open } from "./views.js";

const REFRESH_MS = 1000;
const TYPING_MS = 200;

export function mount(element) {
  const find = (selector) => element.querySelector(selector);
  const [form, wall, note, counts] = [find("form"), find(".st-wall"), find(".st-empty"), find(".st-wall-counts")];
  const [pager, before, after] = [find(".st-pager"), find(".st-before"), find(".st-after")];
  const tiles = new Map();
  let page = 1;
  let question = 0;
  let typing = 0;
  let shown = false;

  async function load() {
    clearTimeout(typing);
    const mine = (question += 1);
    const fields = new FormData(form);
    const query = new URLSearchParams({ page, text: fields.get("text"), only: fields.get("only") || "" });
    const answer = await ask(`streamtag/streams?${query}`);
    if (mine !== question) return;
    if (answer.error) say(answer.error);
    else show(answer);
  }

  function say(words) {
    setText(note, words);
    note.hidden = !words;
  }

  function show({ connection, nodes, streams, found, page: now, pages, states, trouble }) {
    page = now;
    showNodes(find(".st-nodes"), nodes);
    const names = new Set(streams.map((stream) => stream.id));
    for (const [name, tile] of tiles) {
      if (names.has(name)) continue;
      tile.element.remove();
      tiles.delete(name);
    }
    streams.forEach((stream, index) => {
      if (!tiles.has(stream.id)) tiles.set(stream.id, new Tile(stream.id, (name) => open("live", name)));
      const tile = tiles.get(stream.id);
      if (wall.children[index] !== tile.element) wall.insertBefore(tile.element, wall.children[index] ?? null);
      tile.show(stream);
    });
    pager.hidden = pages < 2;
    setText(find(".st-page"), `${page} of ${pages}`);
    before.disabled = page <= 1;
    after.disabled = page >= pages;
    const every = Object.values(states).reduce((sum, count) => sum + count, 0);
    setText(counts, found === every ? "" : `${found} of ${every}${trouble ? `, ${trouble} in trouble` : ""}`);
    if (connection === "waiting") say("The tagging service is not running yet.");
    else if (!every) say("The service listens to no stream.");
    else if (!found) say(form.elements.only.checked ? "No stream is in trouble." : "No stream is called that.");
    else say("");
  }

  function turnPage(step) {
    page += step;
    load();
    wall.scrollIntoView({ block: "nearest" });
  }

  before.onclick = () => turnPage(-1);
  after.onclick = () => turnPage(1);
  form.onsubmit = (event) => event.preventDefault();
  form.oninput = () => {
    page = 1;
    clearTimeout(typing);
    typing = setTimeout(load, TYPING_MS);
  };
  onShown((name) => { shown = name === "streams"; if (shown) load(); });
  setInterval(() => { if (shown && !document.hidden) load(); }, REFRESH_MS);
}
