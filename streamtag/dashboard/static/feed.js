// The connection to the dashboard: what the service says, and the newest of one stream.

import { socketAt } from "./format.js";

const RETRY_FIRST = 500;
const RETRY_LAST = 5000;

export class Feed {
  constructor() {
    this.service = { state: "waiting", streams: [], labels: [] };
    this.stream = "";
    this.labels = []; // of the stream's model
    this.listeners = new Map();
    this.delay = RETRY_FIRST;
    this.open();
  }

  on(kind, listener) {
    if (!this.listeners.has(kind)) this.listeners.set(kind, []);
    this.listeners.get(kind).push(listener);
    if (kind === "service") listener(this.service);
  }

  watch(stream) {
    this.stream = stream;
    this.sendWatched();
  }

  close() {
    this.closed = true;
    this.socket.close();
  }

  open() {
    this.socket = socketAt("streamtag/live");
    this.socket.binaryType = "arraybuffer";
    this.socket.onopen = () => { this.delay = RETRY_FIRST; this.sendWatched(); };
    this.socket.onmessage = (event) => this.handle(event.data);
    this.socket.onclose = () => {
      if (this.closed) return;
      this.emit("service", (this.service = { ...this.service, state: "page" }));
      setTimeout(() => this.open(), this.delay);
      this.delay = Math.min(RETRY_LAST, 2 * this.delay);
    };
  }

  sendWatched() {
    if (this.stream && this.socket.readyState === WebSocket.OPEN) {
      this.socket.send(JSON.stringify({ watch: this.stream }));
    }
  }

  emit(kind, message) {
    for (const listener of this.listeners.get(kind) || []) listener(message);
  }

  handle(data) {
    if (typeof data === "string") {
      const message = JSON.parse(data);
      if (message.kind === "service") this.service = { labels: [], streams: [], ...message };
      if (message.kind === "labels") this.labels = message.labels;
      this.emit(message.kind, message.kind === "service" ? this.service : message);
      return;
    }
    const view = new DataView(data);
    const kind = view.getUint8(0);
    if (kind === 1) {
      this.emit("levels", {
        end: view.getFloat64(1, true), rms: view.getFloat32(9, true), peak: view.getFloat32(13, true),
        columns: new Uint8Array(data, 17),
      });
    } else if (kind === 2) {
      const count = (data.byteLength - 9) / 2;
      this.emit("scores", {
        time: view.getFloat64(1, true), patch: new Uint8Array(data, 9, count), rolling: new Uint8Array(data, 9 + count),
      });
    } else if (kind === 3) {
      const count = view.getUint32(1, true);
      const labels = count ? (data.byteLength - 5 - 8 * count) / count : 0;
      const patches = [];
      for (let row = 0; row < count; row += 1) {
        const patch = new Uint8Array(data, 5 + 8 * count + row * labels, labels);
        patches.push({ time: view.getFloat64(5 + 8 * row, true), patch });
      }
      this.emit("backlog", patches);
    }
  }
}

let shared = null;

export function sharedFeed() {
  shared = shared || new Feed();
  return shared;
}
