// The strongest labels as bars, strongest first. Rows keep their places until the order is clearly wrong; then all of
// them slide to their new places at once, and rest there for a while. A row that becomes free leaves no gap.

import { make, score, setText } from "./format.js";

const ROWS = 8;
const HEARD = 10; // of 255
const CLEARLY = 26; // what a label must be stronger by to take the place of another
const FAR = 102; // with so much more it need not wait until the rows have rested
const SURE = 128;
const REST_MS = 3000;
const SLIDE = { duration: 450, easing: "ease-in-out" };

export class Rows {
  constructor(element) {
    this.element = element;
    this.empty = make("li", "st-empty", "Nothing recognised yet.");
    element.append(this.empty);
    this.rows = [];
    for (let index = 0; index < ROWS; index += 1) {
      const item = make("li", "st-row");
      const name = make("span", "st-row-name");
      const value = make("span", "st-row-score");
      const bar = make("div", "st-row-bar");
      const fill = make("div", "st-row-fill");
      bar.setAttribute("role", "meter");
      bar.setAttribute("aria-valuemin", 0);
      bar.setAttribute("aria-valuemax", 1);
      bar.append(fill);
      item.append(name, value, bar);
      element.append(item);
      this.rows.push({ item, name, value, bar, fill, label: -1 });
    }
    this.clear();
  }

  clear() {
    this.restUntil = 0;
    this.empty.hidden = false;
    for (const row of this.rows) {
      row.label = -1;
      this.write(row, "", 0);
    }
  }

  // names: all labels; scores: Uint8Array with 255 for 1; now: milliseconds.
  show(names, scores, now = performance.now()) {
    this.choose(scores);
    const wrong = this.disorder(scores);
    if (wrong >= FAR || (wrong >= CLEARLY && now >= this.restUntil)) {
      this.arrange((one, other) => strength(other, scores) - strength(one, scores));
      this.restUntil = now + REST_MS;
    } else {
      this.arrange((one, other) => (one.label < 0) - (other.label < 0));
    }
    this.empty.hidden = this.rows.some((row) => row.label >= 0);
    for (const row of this.rows) {
      this.write(row, row.label < 0 ? "" : names[row.label], row.label < 0 ? 0 : scores[row.label]);
    }
  }

  choose(scores) {
    const order = [...scores.keys()].sort((one, other) => scores[other] - scores[one]);
    const near = new Set(order.slice(0, ROWS + 4).filter((label) => scores[label] >= HEARD / 2));
    for (const row of this.rows) if (!near.has(row.label)) row.label = -1;
    const shown = new Set(this.rows.map((row) => row.label));
    for (const label of order.slice(0, ROWS)) {
      if (shown.has(label) || scores[label] < HEARD) continue;
      let place = this.rows.find((row) => row.label < 0);
      if (!place) {
        place = this.rows.reduce((low, row) => (scores[row.label] < scores[low.label] ? row : low));
        if (scores[label] < scores[place.label] + CLEARLY) continue;
      }
      place.label = label;
    }
  }

  // By how much a row is stronger than one above it, at most; free rows do not count.
  disorder(scores) {
    let [weakest, most] = [Infinity, 0];
    for (const row of this.rows.filter((each) => each.label >= 0)) {
      weakest = Math.min(weakest, strength(row, scores));
      most = Math.max(most, strength(row, scores) - weakest);
    }
    return most;
  }

  arrange(order) {
    const sorted = [...this.rows].sort(order);
    if (sorted.every((row, place) => row === this.rows[place])) return;
    const before = new Map(this.rows.map((row) => [row, row.item.offsetTop]));
    this.rows = sorted;
    this.element.append(...this.rows.map((row) => row.item));
    if (matchMedia("(prefers-reduced-motion: reduce)").matches) return;
    for (const [row, top] of before) {
      const way = top - row.item.offsetTop;
      if (way) row.item.animate([{ transform: `translateY(${way}px)` }, { transform: "none" }], SLIDE);
    }
  }

  write(row, name, value) {
    row.item.dataset.empty = !name;
    row.item.dataset.sure = value >= SURE;
    if (row.name.textContent !== name) {
      row.name.textContent = name;
      row.fill.style.transition = "none"; // another label's bar begins where it is, and does not slide there
      row.fill.style.transform = "scaleX(0)";
      void row.fill.offsetWidth;
      row.fill.style.transition = "";
    }
    setText(row.value, name ? score(value / 255) : "");
    row.fill.style.transform = `scaleX(${(value / 255).toFixed(3)})`;
    row.bar.setAttribute("aria-label", name || "free row");
    row.bar.setAttribute("aria-valuenow", (value / 255).toFixed(2));
  }
}

// A free row is clearly weaker than any label.
function strength(row, scores) {
  return row.label < 0 ? -CLEARLY : scores[row.label];
}
