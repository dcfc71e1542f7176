// Sound as the page holds it: int16 samples of one channel.

const RATE = 16000;
const WAV_HEAD = 44;
const STEPS = 20; // a second
const PAUSE_STEPS = 6;

// A clip of the history.
export async function fetchClip(address) {
  const answer = await fetch(address);
  if (!answer.ok) throw new Error("There is no recording of this event any more.");
  const data = await answer.arrayBuffer();
  return { rate: new DataView(data).getUint32(24, true), samples: new Int16Array(data.slice(WAV_HEAD)) };
}

// A recording of the visitor's, as far as the browser can read it.
export async function decodeFile(file) {
  const context = new OfflineAudioContext(1, 1, RATE);
  const whole = await context.decodeAudioData(await file.arrayBuffer());
  const channels = Array.from({ length: whole.numberOfChannels }, (_, number) => whole.getChannelData(number));
  const samples = Int16Array.from(channels[0], (_, at) => {
    const mean = channels.reduce((sum, channel) => sum + channel[at], 0) / channels.length;
    return Math.round(32767 * Math.min(1, Math.max(-1, mean)));
  });
  return { rate: whole.sampleRate, samples };
}

let playing = null;

export function playSamples({ samples, rate }) {
  playing?.close();
  const context = new AudioContext();
  playing = context;
  const buffer = context.createBuffer(1, Math.max(1, samples.length), rate);
  buffer.getChannelData(0).set(Float32Array.from(samples, (value) => value / 32768));
  const source = context.createBufferSource();
  source.buffer = buffer;
  source.connect(context.destination);
  source.start();
}

export function asBase64(samples) {
  const bytes = new Uint8Array(samples.buffer, samples.byteOffset, samples.byteLength);
  let text = "";
  for (let at = 0; at < bytes.length; at += 8192) text += String.fromCharCode(...bytes.subarray(at, at + 8192));
  return btoa(text);
}

// Where sound is, in a quiet stretch or a loud one: around its loudest moment as far as it stays near that, pauses of a
// moment included, and a second at least.
export function loudest({ samples, rate }) {
  const step = Math.max(1, Math.round(rate / STEPS));
  const levels = Array.from({ length: Math.ceil(samples.length / step) }, (_, at) =>
    samples.subarray(at * step, (at + 1) * step).reduce((most, value) => Math.max(most, Math.abs(value)), 0));
  const top = levels.indexOf(Math.max(...levels));
  const isNear = (at) => levels[at] > levels[top] / 10;
  let [begin, end] = [top, top + 1];
  for (let at = top; at >= Math.max(0, begin - PAUSE_STEPS); at -= 1) if (isNear(at)) begin = at;
  for (let at = top; at < Math.min(levels.length, end + PAUSE_STEPS); at += 1) if (isNear(at)) end = at + 1;
  const missing = Math.max(0, STEPS - (end - begin)) / 2;
  return [Math.max(0, begin - missing) / STEPS, Math.min(levels.length, end + missing) / STEPS];
}
