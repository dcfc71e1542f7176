// The views: which there are, which one is open, and how one leads to another.

export const TITLES = JSON.parse(document.querySelector('meta[name="streamtag-views"]').content);

const FIRST = "live";
const slots = new Map();
const opened = new Map(); // what a view was opened with, until it listens; or its listener
const listeners = [];
let current = named() || FIRST;

function named() {
  const name = location.hash.slice(1);
  return Object.hasOwn(TITLES, name) ? name : "";
}

// A slot of Gradio's frame is there.
export function addSlot(slot) {
  const name = slot.id.replace("st-", "");
  slot.dataset.view = name;
  slots.set(name, slot);
  if (!Object.hasOwn(TITLES, name)) fill(slot);
  else if (name === current) show(name);
  else slot.hidden = true;
}

async function fill(slot) {
  if (slot.dataset.filled) return;
  slot.dataset.filled = true;
  const name = slot.dataset.view;
  const view = import(`./${name}.js`);
  slot.innerHTML = await (await fetch(`streamtag/static/${name}.html`)).text();
  (await view).mount(slot);
}

function show(name) {
  current = name;
  for (const [other, slot] of slots) slot.hidden = Object.hasOwn(TITLES, other) && other !== name;
  if (slots.has(name)) fill(slots.get(name));
  for (const listener of listeners) listener(name);
}

// Calls it with the open view's name, now and whenever that changes.
export function onShown(listener) {
  listeners.push(listener);
  listener(current);
}

// Opens a view; what it is opened with, it is given once it is there.
export function open(name, argument = null) {
  if (argument !== null) {
    const listener = opened.get(name);
    if (typeof listener === "function") listener(argument);
    else opened.set(name, argument);
  }
  if (name !== current) show(name);
  if (named() !== name) location.hash = name;
  scrollTo({ top: 0 });
}

// Calls `listener` with what the view is opened with.
export function onOpened(name, listener) {
  const argument = opened.get(name);
  opened.set(name, listener);
  if (argument !== undefined) listener(argument);
}

addEventListener("hashchange", () => { if ((named() || FIRST) !== current) show(named() || FIRST); });
