// The form of one alert: its fields in, and as the configuration would have them out.

import { make } from "./format.js";

const DAYS = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
const STATES = ["reconnecting", "stalled", "failed", "ended", "paused", "starting", "live"];
const TROUBLE = STATES.slice(0, 3);
const NUMBERS = ["for_seconds", "count", "within_seconds", "unless_seconds", "cooldown_seconds"];

export class AlertForm {
  constructor(form) {
    this.form = form;
    this.days = ticks(form.elements.days, DAYS);
    this.states = ticks(form.querySelector("[data-kind=state]"), STATES);
    this.streams = new Chips(form.elements.streams, "st-alert-streams", "all");
    this.unless = new Chips(form.elements.unless, "st-alert-labels", "nothing");
    this.recipients = [];
    form.elements.kind.onchange = () => this.showKind();
  }

  offer(recipients) {
    if (JSON.stringify(recipients) === JSON.stringify(this.recipients)) return;
    const before = this.send ? ticked(this.send) : recipients;
    this.recipients = recipients;
    this.send = ticks(this.form.elements.send, recipients, before);
  }

  fill(fields) {
    const { elements } = this.form;
    const kind = fields.when === "level" || fields.when === "state" ? fields.when : "label";
    elements.name.value = fields.name ?? "";
    elements.kind.value = kind;
    elements.when.value = kind === "label" ? fields.when ?? "" : "";
    elements.score.value = kind === "label" ? fields.on ?? "" : "";
    elements.level.value = kind === "level" ? fields.on ?? "" : "";
    tick(this.states, kind === "state" ? fields.on ?? TROUBLE : TROUBLE);
    for (const name of NUMBERS) elements[name].value = fields[name] ?? "";
    [elements.begin.value, elements.end.value] = fields.between ?? ["", ""];
    tick(this.days, fields.days ?? DAYS);
    this.streams.fill(fields.streams ?? []);
    this.unless.fill(fields.unless ?? []);
    tick(this.send ?? [], fields.send ?? this.recipients);
    elements.clip.checked = fields.clip ?? false;
    this.showKind();
  }

  // What the form says, without what it leaves to the defaults.
  read() {
    const { elements } = this.form;
    const kind = elements.kind.value;
    const fields = { name: elements.name.value.trim(), when: kind === "label" ? elements.when.value.trim() : kind };
    const on = kind === "label" ? elements.score.value : elements.level.value;
    if (kind === "state") fields.on = ticked(this.states);
    else if (on !== "") fields.on = Number(on);
    for (const name of NUMBERS) {
      if (elements[name].value !== "") fields[name] = Number(elements[name].value);
    }
    if (elements.begin.value || elements.end.value) fields.between = [elements.begin.value.trim(), elements.end.value.trim()];
    const days = ticked(this.days);
    if (days.length < DAYS.length) fields.days = days;
    if (this.streams.values.length) fields.streams = this.streams.values;
    if (this.unless.values.length) fields.unless = this.unless.values;
    const send = ticked(this.send ?? []);
    if (send.length < this.recipients.length) fields.send = send;
    if (elements.clip.checked) fields.clip = true;
    return fields;
  }

  showKind() {
    const kind = this.form.elements.kind.value;
    for (const part of this.form.querySelectorAll("[data-kind]")) part.hidden = part.dataset.kind !== kind;
  }
}

function ticks(fieldset, values, checked = values) {
  fieldset.querySelectorAll(".st-tick").forEach((old) => old.remove());
  return values.map((value) => {
    const box = make("input");
    box.type = "checkbox";
    box.value = value;
    box.checked = checked.includes(value);
    const label = make("label", "st-tick");
    label.append(box, ` ${value}`);
    fieldset.append(label);
    return box;
  });
}

function tick(boxes, values) {
  for (const box of boxes) box.checked = values.includes(box.value);
}

function ticked(boxes) {
  return boxes.filter((box) => box.checked).map((box) => box.value);
}

// Names that are chosen one after the other, each of which can be taken away again.
class Chips {
  constructor(fieldset, list, nothing) {
    this.values = [];
    this.fieldset = fieldset;
    this.input = make("input");
    this.input.type = "search";
    this.input.autocomplete = "off";
    this.input.setAttribute("list", list);
    this.input.setAttribute("aria-label", `Add to: ${fieldset.querySelector("legend").textContent}`);
    this.input.placeholder = nothing;
    this.input.onchange = () => this.add(this.input.value.trim());
    this.input.onkeydown = (event) => {
      if (event.key !== "Enter") return;
      event.preventDefault();
      this.add(this.input.value.trim());
    };
    this.fieldset.append(this.input);
  }

  fill(values) {
    this.values = [...values];
    this.show();
  }

  add(value) {
    this.input.value = "";
    if (!value || this.values.includes(value)) return;
    this.values.push(value);
    this.show();
  }

  show() {
    this.fieldset.querySelectorAll(".st-chip").forEach((old) => old.remove());
    for (const value of this.values) {
      const chip = make("button", "st-chip", `${value} ×`);
      chip.type = "button";
      chip.setAttribute("aria-label", `Take away ${value}`);
      chip.onclick = () => this.fill(this.values.filter((other) => other !== value));
      this.input.before(chip);
    }
  }
}
