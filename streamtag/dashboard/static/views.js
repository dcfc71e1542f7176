// The views: which there are, which one is open, and how one leads to another.

export const TITLES = JSON.parse(document.querySelector('meta[name="streamtag-views"]').content);

const FIRST = "live";
const places = new Map();
const leads = new Map(); // what a view was opened with, until it takes it; or whoever takes it
const listeners = [];
let current = named() || FIRST;

function named() {
  const name = location.hash.slice(1);
  return Object.hasOwn(TITLES, name) ? name : "";
}

// A place of Gradio's frame is there.
export function arrive(place) {
  const name = place.id.replace("st-", "");
  place.dataset.view = name;
  places.set(name, place);
  if (!Object.hasOwn(TITLES, name)) fill(place);
  else if (name === current) show(name);
  else place.hidden = true;
}

async function fill(place) {
  if (place.dataset.filled) return;
  place.dataset.filled = true;
  const name = place.dataset.view;
  const view = import(`./${name}.js`);
  place.innerHTML = await (await fetch(`streamtag/static/${name}.html`)).text();
  (await view).mount(place);
}

function show(name) {
  current = name;
  for (const [other, place] of places) place.hidden = Object.hasOwn(TITLES, other) && other !== name;
  if (places.has(name)) fill(places.get(name));
  for (const listener of listeners) listener(name);
}

// Calls it with the open view's name, now and whenever that changes.
export function onShown(listener) {
  listeners.push(listener);
  listener(current);
}

// Opens a view; what it is opened with, it is given once it is there.
export function open(name, wish = null) {
  if (wish !== null) {
    const take = leads.get(name);
    if (typeof take === "function") take(wish);
    else leads.set(name, wish);
  }
  if (name !== current) show(name);
  if (named() !== name) location.hash = name;
  scrollTo({ top: 0 });
}

// Calls `take` with what the view is opened with.
export function onWish(name, take) {
  const wish = leads.get(name);
  leads.set(name, take);
  if (wish !== undefined) take(wish);
}

addEventListener("hashchange", () => { if ((named() || FIRST) !== current) show(named() || FIRST); });
