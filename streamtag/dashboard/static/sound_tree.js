// Sounds as a tree that can be searched: tick one, or add all below it.

import { make } from "./format.js";

export class SoundTree {
  // onChange: called whenever other sounds are chosen.
  constructor(list, empty, onChange) {
    this.list = list;
    this.empty = empty;
    this.onChange = onChange;
    this.chosen = new Set();
    this.open = new Set();
    this.sounds = new Map();
    this.below = new Map();
    this.words = "";
  }

  // sounds: [name, parents, whether it is a label].
  offer(sounds) {
    this.sounds = new Map(sounds.map(([name, parents, isLabel]) => [name, { name, parents, isLabel }]));
    this.below = new Map(sounds.map(([name]) => [name, []]));
    for (const [name, parents] of sounds) for (const parent of parents) this.below.get(parent).push(name);
    this.draw();
  }

  choose(names) {
    this.chosen = new Set(names);
    this.draw();
  }

  search(words) {
    this.words = words.trim().toLowerCase();
    this.draw();
  }

  // All labels at and below one, each once.
  labels(name, seen = new Set()) {
    if (seen.has(name)) return [];
    seen.add(name);
    const below = this.below.get(name).flatMap((each) => this.labels(each, seen));
    return this.sounds.get(name).isLabel ? [name, ...below] : below;
  }

  draw() {
    const all = [...this.sounds.values()];
    const found = this.words
      ? all.filter(({ name }) => name.toLowerCase().includes(this.words))
      : all.filter(({ parents }) => !parents.length);
    this.list.replaceChildren(...found.map(({ name, parents }) => this.item(name, this.words ? parents : [])));
    this.empty.hidden = found.length > 0 || !all.length;
  }

  item(name, under) {
    const item = make("li");
    const line = make("div", "st-tree-line");
    const below = this.below.get(name);
    const labels = this.labels(name);
    const isOpen = this.open.has(name);
    const toggle = make("button", "st-tree-toggle", below.length ? (isOpen ? "▾" : "▸") : "");
    toggle.type = "button";
    toggle.disabled = !below.length;
    toggle.setAttribute("aria-label", `${isOpen ? "Hide" : "Show"} what is below ${name}`);
    toggle.setAttribute("aria-expanded", isOpen);
    toggle.onclick = () => {
      if (!this.open.delete(name)) this.open.add(name);
      this.draw();
    };
    line.append(toggle, this.sounds.get(name).isLabel ? this.tick(name) : make("span", "st-tree-name", name));
    if (under.length) line.append(make("span", "st-soft", `under ${under.join(", ")}`));
    if (labels.length > 1) line.append(this.addAll(name, labels));
    item.append(line);
    if (isOpen) {
      const list = make("ul", "st-tree");
      list.append(...below.map((each) => this.item(each, [])));
      item.append(list);
    }
    return item;
  }

  tick(name) {
    const label = make("label", "st-tree-name");
    const box = make("input");
    box.type = "checkbox";
    box.checked = this.chosen.has(name);
    box.onchange = () => {
      if (box.checked) this.chosen.add(name);
      else this.chosen.delete(name);
      this.onChange();
    };
    label.append(box, ` ${name}`);
    return label;
  }

  addAll(name, labels) {
    const isAll = labels.every((label) => this.chosen.has(label));
    const button = make("button", "st-play", isAll ? `Take all ${labels.length} out` : `Add all ${labels.length}`);
    button.type = "button";
    button.title = `All below ${name}`;
    button.setAttribute("aria-label", `${button.textContent} below ${name}`);
    button.onclick = () => {
      for (const label of labels) {
        if (isAll) this.chosen.delete(label);
        else this.chosen.add(label);
      }
      this.draw();
      this.onChange();
    };
    return button;
  }
}
