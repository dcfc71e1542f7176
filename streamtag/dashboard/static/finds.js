// What a taught label finds: its newest events and the likest moments of the last day, with an answer to each.

import { ask, make, score, setText } from "./format.js";
import { momentItem } from "./likeness.js";

const SHOWN = 10;

export class Finds {
  // onSaid(words): an answer was given.
  constructor(element, { player, onSaid }) {
    this.element = element;
    this.player = player;
    this.onSaid = onSaid;
    [this.note, this.list] = [element.querySelector(".st-empty"), element.querySelector(".st-moments")];
    this.verdicts = new Map();
    this.name = "";
  }

  async show(name) {
    if (name !== this.name) {
      this.list.replaceChildren();
      delete this.list.dataset.shown;
      this.verdicts.clear();
    }
    this.name = name;
    this.element.hidden = !name;
    if (!name) return;
    const found = await ask(`streamtag/teach/found?${new URLSearchParams({ name })}`);
    if (name !== this.name) return;
    const events = (found.events ?? []).map((event) => ({ id: null, event, stream: event.stream, time: event.time, likeness: event.peak }));
    const known = new Set(events.map((each) => each.event.id));
    const moments = (found.moments ?? []).filter((each) => !known.has(each.event?.id));
    const shown = [...events, ...moments].slice(0, SHOWN);
    setText(this.note, found.error ?? "Nothing was found in the last day.");
    this.note.hidden = shown.length > 0;
    const state = JSON.stringify(shown.map((each) => [each.id, each.event?.id, each.event?.right, each.likeness.toFixed(2)]));
    if (this.list.dataset.shown === state || this.list.contains(document.activeElement)) return;
    this.list.dataset.shown = state;
    this.list.replaceChildren(...shown.map((each) => this.item(each)));
  }

  item(moment) {
    const item = momentItem(moment, this.player, `score ${score(moment.likeness)}`);
    item.classList.add("st-find");
    const key = moment.id ?? `event ${moment.event.id}`;
    const known = moment.id === null ? moment.event.right : this.verdicts.get(key);
    const verdicts = make("span", "st-find-verdicts");
    for (const right of ["yes", "no"]) {
      const button = make("button", "st-verdict", right === "yes" ? "Yes" : "No");
      button.type = "button";
      button.setAttribute("aria-label", `${button.textContent}, ${right === "yes" ? "this is" : "this is not"} ${this.name}`);
      button.setAttribute("aria-pressed", known === (right === "yes"));
      button.onclick = async () => {
        for (const other of verdicts.children) other.setAttribute("aria-pressed", other === button);
        this.verdicts.set(key, right === "yes");
        const which = moment.id === null ? { event: moment.event.id } : { moment: moment.id, label: this.name };
        const answer = await ask(`streamtag/history/judge?${new URLSearchParams({ ...which, right })}`, "POST");
        if (answer.error) button.setAttribute("aria-pressed", false);
        button.blur();
        this.onSaid(answer.error ?? answer.words);
      };
      verdicts.append(button);
    }
    item.append(verdicts);
    return item;
  }
}
