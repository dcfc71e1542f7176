// Plays one recording at a time; its button says so.

import { setText } from "./format.js";

export class Player {
  constructor() {
    this.audio = new Audio();
    this.button = null;
    this.audio.onended = () => this.rest();
  }

  get isPlaying() { return !this.audio.paused; }

  toggle(address, button) {
    const again = this.button === button && this.isPlaying;
    this.audio.pause();
    this.rest();
    if (again) return;
    this.audio.src = address;
    this.button = button;
    setText(button, "Stop");
    this.audio.play().catch(() => this.rest());
  }

  rest() {
    if (this.button) setText(this.button, "Play");
    this.button = null;
  }
}
