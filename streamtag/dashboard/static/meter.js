// The level in dB below full scale.

import { make, setText } from "./format.js";

const LOWEST = -70;
const LOUD = -1;
const HOLD_SECONDS = 1.5;
const SILENCE = -119;

// A level in words.
export function decibels(level) {
  return level <= SILENCE ? "silence" : `${String(Math.round(level)).replace("-", "\u2212")} dB`;
}

export class Meter {
  constructor(element) {
    this.bar = make("div", "st-meter-bar");
    this.bar.setAttribute("role", "meter");
    this.bar.setAttribute("aria-label", "Level");
    this.bar.setAttribute("aria-valuemin", LOWEST);
    this.bar.setAttribute("aria-valuemax", 0);
    this.fill = make("div", "st-meter-fill");
    this.peak = make("div", "st-meter-peak");
    this.text = make("span", "st-meter-text", "no sound yet");
    this.bar.append(this.fill, this.peak);
    element.replaceChildren(this.bar, this.text);
    this.clear();
  }

  clear() {
    this.held = LOWEST;
    this.heldAt = 0;
    this.draw(LOWEST, "no sound yet");
  }

  show({ end, rms, peak }) {
    if (peak >= this.held || Math.abs(end - this.heldAt) > HOLD_SECONDS) {
      this.held = peak;
      this.heldAt = end;
    }
    this.bar.dataset.loud = this.held >= LOUD;
    const level = decibels(rms);
    this.draw(rms, rms > SILENCE && this.held >= LOUD ? `${level}, too loud` : level);
    this.bar.dataset.updates = 1 + Number(this.bar.dataset.updates || 0);
  }

  draw(rms, words) {
    const part = (level) => Math.min(1, Math.max(0, 1 - level / LOWEST));
    this.fill.style.transform = `scaleX(${part(rms).toFixed(3)})`;
    this.peak.style.left = `${(100 * part(this.held)).toFixed(1)}%`;
    this.bar.setAttribute("aria-valuenow", Math.round(Math.max(LOWEST, rms)));
    this.bar.setAttribute("aria-valuetext", words);
    setText(this.text, words);
  }
}
