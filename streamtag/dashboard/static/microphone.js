// The visitor's own microphone as a stream of its own.

import { position, setText, socketAt } from "./format.js";
import { Feed } from "./feed.js";
import { Panel } from "./panel.js";

const MOST_WAITING = 8 << 20; // bytes that may wait for a slow connection
const PLAIN = { echoCancellation: false, noiseSuppression: false, autoGainControl: false, channelCount: 1 };

export function mount(element) {
  const button = element.querySelector(".st-start");
  const state = element.querySelector(".st-state");
  const counts = element.querySelector(".st-counts");
  let panel = null;
  let visit = null;

  function say(kind, words) {
    state.dataset.state = kind;
    setText(state.querySelector(".st-state-text"), words);
  }

  function count({ captured, received, rate }) {
    counts.hidden = false;
    counts.dataset.captured = captured;
    counts.dataset.received = received;
    setText(counts, `${position(captured / rate)} recorded, ${position(received / rate)} received`);
  }

  button.onclick = async () => {
    if (visit) {
      visit.stop();
      return;
    }
    button.disabled = true;
    visit = new Visit({ count, onReady, onTaken, onEnd });
    await visit.start();
    button.disabled = false;
  };

  function onReady(feed) {
    button.textContent = "Stop";
    say("none", "Waiting for the service to take the sound …");
    element.querySelector(".st-grid").hidden = false;
    if (panel) panel.attach(feed);
    else panel = new Panel(element, feed);
    panel.clear();
  }

  function onTaken() {
    say("live", "Listening. Nothing is stored.");
  }

  function onEnd(kind, words) {
    button.textContent = "Tag my microphone";
    button.disabled = false;
    visit = null;
    say(kind, words);
  }
  button.disabled = false;
}

class Visit {
  constructor(listeners) {
    Object.assign(this, listeners);
    this.captured = 0;
    this.received = 0;
  }

  async start() {
    if (!navigator.mediaDevices) {
      this.finish("failed", "Browsers open the microphone only for pages on this machine or over https.");
      return;
    }
    try {
      this.sound = await navigator.mediaDevices.getUserMedia({ audio: PLAIN });
    } catch (error) {
      const words = error.name === "NotAllowedError" ? "The microphone was not allowed." : "No microphone was found.";
      this.finish("failed", words);
      return;
    }
    this.audio = new AudioContext();
    await this.audio.resume();
    await this.audio.audioWorklet.addModule("streamtag/static/worklet.js");
    this.socket = socketAt(`streamtag/microphone?rate=${this.audio.sampleRate}`);
    this.socket.onmessage = (event) => this.handle(JSON.parse(event.data));
    this.socket.onclose = () => this.finish("failed", "The page lost its server.");
  }

  handle(message) {
    if (message.kind === "refused") this.finish("failed", message.reason);
    if (message.kind === "ready") this.record(message.stream);
    if (message.kind === "received" && !this.taken) {
      this.taken = true;
      this.onTaken();
    }
    if (message.kind === "received" || message.kind === "ended") {
      this.received = message.samples;
      this.count(this.totals());
    }
    if (message.kind === "ended") {
      const lost = this.captured - this.received;
      const words = lost ? `${lost} samples were lost.` : "Nothing was lost.";
      this.finish(message.reason ? "trouble" : "none", `${message.reason || "Stopped."} ${words} Nothing was stored.`);
    }
  }

  totals() {
    return { captured: this.captured, received: this.received, rate: this.audio.sampleRate };
  }

  record(stream) {
    this.feed = new Feed();
    this.feed.watch(stream);
    this.node = new AudioWorkletNode(this.audio, "collector", { numberOfOutputs: 0 });
    this.node.port.onmessage = ({ data }) => this.pass(data);
    this.audio.createMediaStreamSource(this.sound).connect(this.node);
    this.onReady(this.feed);
  }

  pass(data) {
    if (this.socket.readyState !== WebSocket.OPEN) return;
    if (data.end !== undefined) {
      this.captured = data.end;
      this.socket.send(JSON.stringify({ end: true }));
      return;
    }
    this.captured = data.sent;
    this.socket.send(data.sound);
    this.count(this.totals());
    if (this.socket.bufferedAmount > MOST_WAITING) this.stop();
  }

  // The worklet sends what it still holds, then its count; the server's answer to that ends the visit.
  stop() {
    for (const track of this.sound.getTracks()) track.stop();
    if (this.node) this.node.port.postMessage("end");
    else this.finish("none", "Stopped.");
  }

  finish(kind, words) {
    if (this.finished) return;
    this.finished = true;
    if (this.sound) for (const track of this.sound.getTracks()) track.stop();
    if (this.audio) this.audio.close();
    if (this.socket) this.socket.close();
    if (this.feed) this.feed.close();
    this.onEnd(kind, words);
  }
}
