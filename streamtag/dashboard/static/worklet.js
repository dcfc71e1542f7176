// Collects the microphone's samples in the audio thread; none is left out, and each block says where it begins.

const BLOCK = 2048;

class Collector extends AudioWorkletProcessor {
  constructor() {
    super();
    this.block = new Int16Array(BLOCK);
    this.filled = 0;
    this.sent = 0;
    this.running = true;
    this.port.onmessage = () => { this.flush(); this.running = false; this.port.postMessage({ end: this.sent }); };
  }

  process([input]) {
    if (!this.running) return false;
    if (!input.length) return true;
    const frames = input[0].length;
    for (let frame = 0; frame < frames; frame += 1) {
      let sum = 0;
      for (const channel of input) sum += channel[frame];
      const value = Math.max(-1, Math.min(1, sum / input.length));
      this.block[this.filled] = Math.round(32767 * value);
      this.filled += 1;
      if (this.filled === BLOCK) this.flush();
    }
    return true;
  }

  flush() {
    if (!this.filled) return;
    const message = new ArrayBuffer(8 + 2 * this.filled);
    new DataView(message).setFloat64(0, this.sent, true);
    new Int16Array(message, 8).set(this.block.subarray(0, this.filled));
    this.sent += this.filled;
    this.filled = 0;
    this.port.postMessage({ sound: message, sent: this.sent }, [message]);
  }
}

registerProcessor("collector", Collector);
