// One stream of the wall.

import { clock, day, length, make, score, setText } from "./format.js";
import { decibels } from "./meter.js";

const LOWEST = -70;
const OLD_SECONDS = 86400 / 2;
const QUIET_SECONDS = 10;
const STATES = {
  live: ["live", "Live"],
  paused: ["none", "Paused"],
  starting: ["none", "Starting"],
  reconnecting: ["trouble", "Reconnecting"],
  stalled: ["trouble", "No sound"],
  ended: ["none", "Ended"],
  failed: ["failed", "Failed"],
};

export class Tile {
  constructor(name, onOpen) {
    this.element = make("li");
    this.button = make("button", "st-tile");
    this.button.type = "button";
    this.button.onclick = () => onOpen(name);
    const head = make("span", "st-tile-head");
    this.state = make("span", "st-tile-state");
    this.words = make("span");
    const mark = make("span", "st-mark");
    mark.setAttribute("aria-hidden", "true");
    this.state.append(mark, this.words);
    head.append(make("strong", "st-tile-name", name), this.state);
    this.reason = make("span", "st-tile-reason");
    this.level = make("span", "st-tile-level");
    this.bar = make("span", "st-tile-bar");
    this.fill = make("span", "st-tile-fill");
    this.bar.append(this.fill);
    this.decibels = make("span", "st-tile-decibels");
    this.level.append(this.bar, this.decibels);
    this.sound = make("span", "st-tile-sound");
    this.event = make("span", "st-tile-event");
    this.lost = make("span", "st-tile-lost");
    const foot = make("span", "st-tile-foot");
    foot.append(this.event, this.lost);
    this.button.append(head, this.reason, this.level, this.sound, foot);
    this.element.append(this.button);
  }

  show({ state, reason, lost_seconds: lost, dropped_patches: dropped, heard, event }) {
    const [kind, words] = STATES[state] ?? ["none", state];
    this.state.dataset.state = kind;
    setText(this.words, words);
    this.button.dataset.state = kind;
    const isHeard = state === "live" && heard !== null && Date.now() / 1000 - heard.time < QUIET_SECONDS;
    setText(this.reason, reason);
    this.reason.title = reason;
    this.reason.hidden = !reason || isHeard;
    this.level.hidden = this.sound.hidden = !this.reason.hidden;
    const level = isHeard ? heard.level_dbfs : LOWEST;
    this.fill.style.transform = `scaleX(${Math.min(1, Math.max(0, 1 - level / LOWEST)).toFixed(2)})`;
    setText(this.decibels, isHeard ? decibels(level) : "");
    setText(this.sound, isHeard && heard.label ? `${heard.label} ${score(heard.score)}` : "Nothing heard yet");
    this.sound.dataset.sure = isHeard && heard.score >= 0.5;
    setText(this.event, event ? `${event.label}, ${event.on ? "going on" : moment(event.time)}` : "No event yet");
    const gone = [lost > 0 && `${length(lost)} lost`, dropped > 0 && `${dropped} skipped`].filter(Boolean).join(", ");
    setText(this.lost, gone);
  }
}

function moment(time) {
  return Date.now() / 1000 - time > OLD_SECONDS ? `${day(time)}, ${clock(time)}` : clock(time);
}
