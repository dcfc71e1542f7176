// What was learnt from what: taught labels with their examples, answers to events; each can be taken back.

import { ask, clock, day, fillList, make, score, setText } from "./format.js";

export class Learnt {
  // onPick(name): a taught label is to be taught more; onChange(words): something was taken back.
  constructor(element, { names, onPick, onChange }) {
    const find = (selector) => element.querySelector(selector);
    [this.note, this.labels, this.verdictList, this.verdicts] = [find(".st-empty"), find(".st-labels"), find(".st-verdict-lists"), find(".st-verdicts")];
    this.raised = find(".st-raised");
    this.names = names;
    this.onPick = onPick;
    this.onChange = onChange;
  }

  async load() {
    const answer = await ask("streamtag/teach");
    if (answer.error) {
      setText(this.note, answer.error);
      this.note.hidden = false;
      return null;
    }
    const { labels, verdicts, raised } = answer;
    fillList(this.names, labels.map((each) => each.name));
    setText(this.note, "Nothing was taught yet.");
    this.note.hidden = labels.length + verdicts.length > 0;
    this.labels.replaceChildren(...labels.map((each) => this.label(each, answer.cannot)));
    this.verdictList.hidden = !verdicts.length;
    this.raised.replaceChildren(...raised.map(({ label, stream, on, before }) =>
      make("li", "", `${label} begins at ${score(on)} in ${stream}, instead of ${score(before)}.`)));
    this.verdicts.replaceChildren(...verdicts.map((each) => this.verdict(each, answer.cannot)));
    return answer;
  }

  label(each, cannot) {
    const item = make("li", "st-label");
    const head = make("div", "st-label-head");
    const about = make("div");
    about.append(make("strong", "", each.name), make("p", "st-soft", each.ours ? each.words : "Taught another model: it is not heard until it is taught anew."));
    const more = make("button", "st-button st-plain", "Teach more");
    more.type = "button";
    more.onclick = () => this.onPick(each.name);
    const remove = this.undo("Remove", `Remove ${each.name}`, { name: each.name }, "streamtag/teach/forget");
    head.append(about, more, remove);
    const list = make("ul", "st-chips");
    for (const [kind, sources] of [["like", each.like], ["unlike", each.unlike]]) {
      for (const { source } of sources) {
        const words = kind === "like" ? source : `not ${source}`;
        const chip = this.undo(`${words} ×`, `Forget the example ${words}`, { name: each.name, source }, "streamtag/teach/forget");
        chip.className = "st-chip";
        const line = make("li");
        line.append(chip);
        list.append(line);
      }
    }
    item.append(head, list);
    for (const button of item.querySelectorAll("button")) button.disabled = Boolean(cannot);
    return item;
  }

  verdict(each, cannot) {
    const item = make("li", "st-event st-said");
    const words = make("div");
    words.append(
      make("span", "", `${each.right ? "✓ right" : "✗ wrong"}: ${each.label}, ${each.stream}, ${day(each.time)}, ${clock(each.time)}`),
      make("p", "st-soft", `said by ${each.who}, ${day(each.given)}, ${clock(each.given)}`),
    );
    const undo = this.undo("Take back", `Take back what was said of ${each.label} at ${clock(each.time)}`, { name: each.name }, "streamtag/history/judge");
    undo.disabled = Boolean(cannot);
    item.append(words, undo);
    return item;
  }

  undo(text, label, query, address) {
    const button = make("button", "st-button st-plain", text);
    button.type = "button";
    button.setAttribute("aria-label", label);
    button.onclick = async () => {
      button.disabled = true;
      const answer = await ask(`${address}?${new URLSearchParams(query)}`, "POST");
      await this.load();
      this.onChange(answer.error ?? answer.words);
    };
    return button;
  }
}
