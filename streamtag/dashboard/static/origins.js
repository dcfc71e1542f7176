// Where a sound to mark comes from: a live stream, a recording of the visitor's, or a clip of the history.

import { clock, day, fillSelect, setText } from "./format.js";
import { Feed, sharedFeed } from "./feed.js";
import { Listener } from "./listener.js";
import { decodeFile, fetchClip } from "./sound.js";
import { Spectrogram } from "./spectrogram.js";

const LEAST_SECONDS = 1;
const MOST_BYTES = 50 << 20;
const CLOSED = "Live sound can be marked where the configuration says [page] listen = true. Clips and recordings can be marked anyway.";

export class Origins {
  // picker: shows what is taken; the feed of the chosen stream is `feed`.
  constructor(element, picker) {
    const find = (selector) => element.querySelector(selector);
    this.element = element;
    this.picker = picker;
    this.source = "";
    this.radios = [...element.querySelectorAll("[name=origin]")];
    [this.stream, this.note, this.take] = [find("[name=stream]"), find(".st-origin"), find(".st-mark-live")];
    this.spectrogram = new Spectrogram(find(".st-live-sound .st-spectrogram"));
    this.mayListen = Boolean(document.querySelector('meta[name="streamtag-listen"]'));
    for (const radio of this.radios) radio.onchange = () => this.choose(radio.value);
    this.stream.onchange = () => this.follow();
    this.take.onclick = () => this.takeLive();
    find(".st-again").onclick = () => this.choose("live");
    find("[type=file]").onchange = (event) => { if (event.target.files[0]) this.takeFile(event.target.files[0]); };
    element.ondragover = (event) => event.preventDefault();
    element.ondrop = (event) => {
      event.preventDefault();
      if (event.dataTransfer.files[0]) this.takeFile(event.dataTransfer.files[0]);
    };
    sharedFeed().on("service", (service) => {
      fillSelect(this.stream, service.streams);
      if (this.isShown && this.kind === "live" && !this.feed) this.follow();
    });
    this.kind = "live";
  }

  // The view is looked at, or no longer: nothing is listened to then.
  setShown(isShown) {
    this.isShown = isShown;
    if (!isShown) this.rest();
    else if (this.kind === "live" && !this.listener) this.choose("live");
  }

  // Of a recording of the visitor's nobody knows one.
  streamOf() {
    return { live: this.stream.value, clip: this.event?.stream }[this.kind] ?? "";
  }

  choose(kind) {
    this.kind = kind;
    for (const radio of this.radios) radio.checked = radio.value === kind;
    for (const part of this.element.querySelectorAll(".st-of-live, .st-of-recording")) {
      part.hidden = !part.classList.contains(`st-of-${kind}`);
    }
    this.picker.hide();
    setText(this.note, "");
    if (kind === "live") this.follow();
    else this.rest();
    if (kind === "clip" && this.event) this.takeClip(this.event);
  }

  rest() {
    this.listener?.stop();
    this.listener = null;
  }

  follow() {
    this.rest();
    const stream = this.stream.value;
    if (!stream) return;
    this.spectrogram.clear();
    this.take.disabled = true;
    if (!this.feed) {
      this.feed = new Feed();
      this.feed.on("levels", (message) => this.spectrogram.show(message));
      this.feed.on("scores", (message) => this.onScores?.(this.feed, message));
    }
    this.feed.watch(stream);
    if (!this.mayListen) {
      setText(this.note, CLOSED);
      return;
    }
    this.listener = new Listener(stream, {
      plays: false,
      onPiece: (each) => {
        this.stream.dataset.seconds = each.seconds().toFixed(1);
        this.take.disabled = each.seconds() < LEAST_SECONDS;
      },
      onEnd: (words) => { if (words) setText(this.note, words); },
    });
  }

  takeLive() {
    const { rate, time } = this.listener;
    const samples = this.listener.samples();
    this.source = `${this.stream.value} ${day(time)} ${clock(time)}`;
    this.rest();
    this.element.querySelector(".st-live-sound").hidden = true;
    this.picker.show({ rate, samples });
  }

  async takeClip(event) {
    this.event = event;
    this.radios.find((radio) => radio.value === "clip").disabled = false;
    if (this.kind !== "clip") {
      this.choose("clip");
      return;
    }
    this.source = `${event.stream} ${day(event.time)} ${clock(event.time)}`;
    if (!event.clip) {
      setText(this.note, `There is no recording of ${event.label} at ${clock(event.time)}; it can be taught by what the history kept of it.`);
      this.onEvent?.(event, this.source);
      return;
    }
    setText(this.note, `${event.label}, ${event.stream}, ${clock(event.time)}`);
    try {
      this.picker.show(await fetchClip(`streamtag/history/clips/${event.id}`));
    } catch (error) {
      setText(this.note, error.message);
    }
  }

  async takeFile(file) {
    this.choose("recording");
    if (file.size > MOST_BYTES) {
      setText(this.note, "This recording is larger than 50 MB: cut it, or take a shorter one.");
      return;
    }
    setText(this.note, `Reading ${file.name} …`);
    try {
      const whole = await decodeFile(file);
      setText(this.note, file.name);
      this.source = file.name.slice(0, 100);
      this.picker.show(whole);
    } catch {
      setText(this.note, `${file.name} cannot be read by this browser.`);
    }
  }
}
