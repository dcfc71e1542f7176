// Labels by time: each cell is one patch, a stronger colour is a higher score.

import { fitted, make, onTheme, position } from "./format.js";
import { colour, colours, variable } from "./palette.js";

const ROWS = 12;
const HEARD = 38; // of 255
const MARKS = 5;

export class Heatmap {
  // words: what stands below the left and right end; a recording's timeline has a cursor and can be clicked.
  constructor(element, { seconds, onSeek = null }) {
    this.seconds = seconds;
    this.patchSeconds = 0.96;
    this.onSeek = onSeek;
    this.names = make("ol", "st-heatmap-names");
    this.canvas = make("canvas");
    this.canvas.setAttribute("role", "img");
    this.canvas.setAttribute("aria-label", "Sounds over time; their names are listed beside it");
    this.times = make("div", "st-times");
    this.empty = make("p", "st-empty", "Nothing recognised yet.");
    this.box = make("div", "st-heatmap-box");
    this.box.append(this.names, this.canvas);
    element.replaceChildren(this.box, this.times, this.empty);
    if (onSeek) {
      this.canvas.classList.add("st-seek");
      this.canvas.onclick = (event) => onSeek((event.offsetX / this.canvas.clientWidth) * this.seconds);
    }
    this.clear();
    onTheme(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  clear() {
    this.patches = [];
    this.rows = [];
    this.labels = [];
    this.cursor = null;
    this.draw();
  }

  setTimes(texts) {
    this.times.replaceChildren(...texts.map((text) => make("span", "", text)));
  }

  setLength(seconds) {
    this.seconds = seconds;
    const marks = [...Array(MARKS).keys()].map((mark) => position((seconds * mark) / (MARKS - 1)));
    this.setTimes(marks);
  }

  setPatches(labels, patches) {
    this.labels = labels;
    this.patches = patches;
    this.choose();
    this.draw();
  }

  add(labels, patch) {
    this.labels = labels;
    this.patches.push(patch);
    while (this.patches.length && this.patches[0].time <= patch.time - this.seconds) this.patches.shift();
    this.choose();
    if (!document.hidden) this.draw();
  }

  // Rows keep their place while their label was heard in the time shown; a label heard more takes the least one's.
  choose() {
    const best = new Map();
    for (const { patch } of this.patches) {
      for (let label = 0; label < patch.length; label += 1) {
        if (patch[label] >= HEARD && patch[label] > (best.get(label) || 0)) best.set(label, patch[label]);
      }
    }
    this.rows = this.rows.filter((label) => best.has(label));
    const order = [...best.keys()].sort((one, other) => best.get(other) - best.get(one));
    for (const label of order) {
      if (this.rows.includes(label)) continue;
      if (this.rows.length < ROWS) {
        this.rows.push(label);
        continue;
      }
      const least = this.rows.reduce((low, row) => (best.get(row) < best.get(low) ? row : low));
      if (best.get(label) > best.get(least) + HEARD) this.rows[this.rows.indexOf(least)] = label;
    }
  }

  draw() {
    const names = this.rows.map((label) => this.labels[label]);
    if (this.names.dataset.shown !== JSON.stringify(names)) {
      this.names.dataset.shown = JSON.stringify(names);
      this.names.replaceChildren(...names.map((name) => { const item = make("li", "", name); item.title = name; return item; }));
      this.box.style.setProperty("--rows", names.length);
    }
    this.empty.hidden = names.length > 0;
    this.box.hidden = this.times.hidden = names.length === 0;
    const context = fitted(this.canvas);
    if (!context || !this.patches.length) return;
    const [wide, high] = [this.canvas.clientWidth, this.canvas.clientHeight];
    const table = colours();
    const rowHeight = high / names.length;
    const end = this.onSeek ? this.seconds : this.patches.at(-1).time;
    const scale = wide / this.seconds;
    context.fillStyle = colour(table, 0);
    context.fillRect(0, 0, wide, high);
    for (const { time, patch } of this.patches) {
      const right = wide - (end - time) * scale;
      const left = right - this.patchSeconds * scale;
      this.rows.forEach((label, row) => {
        if (patch[label] < 8) return;
        context.fillStyle = colour(table, patch[label]);
        context.fillRect(left, row * rowHeight + 1, right - left + 0.5, rowHeight - 2);
      });
    }
    if (this.cursor !== null) {
      context.fillStyle = variable("--st-warn");
      context.fillRect(this.cursor * scale - 1, 0, 2, high);
    }
  }
}
