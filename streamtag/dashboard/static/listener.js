// The sound of a live stream: played, and the last of it kept to be marked.

import { socketAt } from "./format.js";

const AHEAD_SECONDS = 0.4; // what lies between the newest sound and what is heard, against pauses on the way
const MOST_AHEAD_SECONDS = 2;
const KEPT_SECONDS = 20;
const HEAD_BYTES = 20;

export class Listener {
  // plays: whether it is heard; onEnd(words): it is over, and why where nobody asked for that.
  constructor(stream, { plays = true, onPiece = () => {}, onEnd = () => {} }) {
    this.pieces = [];
    this.rate = 0;
    this.time = 0; // Unix seconds of the newest sample
    this.next = 0;
    this.context = plays ? new AudioContext() : null;
    this.onPiece = onPiece;
    this.onEnd = onEnd;
    this.socket = socketAt(`streamtag/listen?${new URLSearchParams({ stream })}`);
    this.socket.binaryType = "arraybuffer";
    this.socket.onmessage = (event) => this.handle(event.data);
    this.socket.onclose = () => this.end("The connection was lost.");
  }

  handle(data) {
    if (typeof data === "string") {
      this.end(JSON.parse(data).error);
      return;
    }
    const view = new DataView(data);
    const rate = view.getUint32(16, true);
    const samples = new Int16Array(data.slice(HEAD_BYTES));
    if (rate !== this.rate) [this.pieces, this.rate] = [[], rate];
    this.time = view.getFloat64(0, true);
    this.pieces.push(samples);
    while (this.seconds() - this.pieces[0].length / rate >= KEPT_SECONDS) this.pieces.shift();
    if (this.context) this.play(samples);
    this.onPiece(this);
  }

  play(samples) {
    const buffer = this.context.createBuffer(1, samples.length, this.rate);
    buffer.getChannelData(0).set(Float32Array.from(samples, (value) => value / 32768));
    const now = this.context.currentTime;
    if (this.next < now || this.next > now + MOST_AHEAD_SECONDS) this.next = now + AHEAD_SECONDS;
    const source = this.context.createBufferSource();
    source.buffer = buffer;
    source.connect(this.context.destination);
    source.start(this.next);
    this.next += buffer.duration;
  }

  seconds() {
    return this.pieces.reduce((sum, piece) => sum + piece.length, 0) / (this.rate || 1);
  }

  // What was heard last, as one piece.
  samples() {
    const whole = new Int16Array(this.pieces.reduce((sum, piece) => sum + piece.length, 0));
    let at = 0;
    for (const piece of this.pieces) {
      whole.set(piece, at);
      at += piece.length;
    }
    return whole;
  }

  stop() {
    this.end("");
  }

  end(words) {
    if (this.isOver) return;
    this.isOver = true;
    this.socket.close();
    this.context?.close();
    this.onEnd(words);
  }
}
