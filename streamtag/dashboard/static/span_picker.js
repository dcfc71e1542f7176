// A stretch of sound as a picture, in which a span is marked: by dragging, or with two sliders.

import { isDark, onTheme, setText } from "./format.js";
import { loudest, playSamples } from "./sound.js";

const SHOWN_SECONDS = 20;
const LEAST_SECONDS = 0.2;

export class SpanPicker {
  constructor(element) {
    this.element = element;
    const find = (selector) => element.querySelector(selector);
    [this.box, this.image, this.bar] = [find(".st-picker-box"), find("img"), find(".st-picker-span")];
    [this.part, this.begin, this.end] = ["part", "begin", "end"].map((name) => find(`[name=${name}]`));
    this.begin.oninput = () => this.set(Number(this.begin.value), Number(this.end.value), "begin");
    this.end.oninput = () => this.set(Number(this.begin.value), Number(this.end.value), "end");
    this.part.oninput = () => this.showPart();
    find(".st-hear").onclick = () => playSamples(this.marked());
    let from = null;
    const secondsAt = (event) => Math.min(1, Math.max(0, event.offsetX / this.box.clientWidth)) * this.seconds;
    this.box.onpointerdown = (event) => { from = secondsAt(event); this.box.setPointerCapture(event.pointerId); };
    this.box.onpointermove = (event) => { if (from !== null) this.set(Math.min(from, secondsAt(event)), Math.max(from, secondsAt(event)), "end"); };
    this.box.onpointerup = () => { from = null; };
    onTheme(() => { if (!this.element.hidden) this.draw(); });
  }

  show(whole) {
    this.whole = whole;
    const seconds = whole.samples.length / whole.rate;
    this.most = seconds < SHOWN_SECONDS + 1 ? seconds : SHOWN_SECONDS;
    this.part.closest("label").hidden = seconds <= this.most;
    this.part.max = Math.max(0, Math.ceil(seconds - this.most));
    this.part.value = 0;
    this.element.hidden = false;
    this.showPart();
  }

  hide() {
    this.element.hidden = true;
  }

  showPart() {
    const { samples, rate } = this.whole;
    const first = Number(this.part.value);
    this.shown = { rate, samples: samples.slice(first * rate, (first + this.most) * rate) };
    this.seconds = this.shown.samples.length / rate;
    setText(this.part.nextElementSibling, `${first} s`);
    for (const slider of [this.begin, this.end]) slider.max = this.seconds;
    this.set(...loudest(this.shown), "end");
    this.draw();
  }

  set(begin, end, moved) {
    if (end - begin < LEAST_SECONDS) {
      if (moved === "begin") begin = Math.max(0, end - LEAST_SECONDS);
      else end = Math.min(this.seconds, begin + LEAST_SECONDS);
    }
    [this.begin.value, this.end.value] = [begin, end];
    [this.from, this.to] = [begin, Math.min(end, this.seconds)];
    for (const [slider, value] of [[this.begin, begin], [this.end, this.to]]) setText(slider.nextElementSibling, `${value.toFixed(2)} s`);
    this.bar.style.left = `${(100 * begin) / this.seconds}%`;
    this.bar.style.width = `${(100 * (this.to - begin)) / this.seconds}%`;
  }

  marked() {
    const { samples, rate } = this.shown;
    return { rate, samples: samples.slice(Math.round(this.from * rate), Math.round(this.to * rate)) };
  }

  async draw() {
    const shown = this.shown;
    const query = new URLSearchParams({ rate: shown.rate, ...(isDark() ? { dark: 1 } : {}) });
    const answer = await fetch(`streamtag/teach/picture?${query}`, { method: "POST", body: shown.samples });
    if (!answer.ok || shown !== this.shown) return;
    URL.revokeObjectURL(this.image.src);
    this.image.src = URL.createObjectURL(await answer.blob());
  }
}
