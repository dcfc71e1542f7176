// A list of events, newest first.

import { clock, length, make, score, setText } from "./format.js";

const MOST = 100;

export class EventList {
  constructor(element, empty) {
    this.element = element;
    this.empty = empty;
    this.items = new Map();
  }

  clear() {
    this.items.clear();
    this.element.replaceChildren();
    this.empty.hidden = false;
  }

  setAll(events) {
    this.clear();
    for (const event of events) this.show(event);
  }

  show(event) {
    let item = this.items.get(event.id);
    if (!item) {
      item = make("li", "st-event");
      item.append(make("time", "", clock(event.time)), make("span", "st-event-name", event.label));
      item.append(make("span", "st-event-length"), make("span", "st-event-score"));
      this.items.set(event.id, item);
      this.element.prepend(item);
      if (this.items.size > MOST) {
        const [oldest] = this.items.keys();
        this.items.get(oldest).remove();
        this.items.delete(oldest);
      }
    }
    const [, , span, value] = item.children;
    item.dataset.on = event.seconds === null;
    setText(span, event.seconds === null ? "going on" : length(event.seconds));
    setText(value, `up to ${score(event.peak)}`);
    this.empty.hidden = true;
  }
}
