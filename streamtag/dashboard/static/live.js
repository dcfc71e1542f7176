// The live view of a chosen stream.

import { clock, fillSelect, length, setText } from "./format.js";
import { sharedFeed } from "./feed.js";
import { Listener } from "./listener.js";
import { Panel } from "./panel.js";
import { onOpened } from "./views.js";

const QUIET_MS = 3000;

export function mount(element) {
  const feed = sharedFeed();
  const panel = new Panel(element, feed);
  const select = element.querySelector(".st-stream");
  const state = element.querySelector(".st-state");
  const text = element.querySelector(".st-state-text");
  let status = null;
  let session = "";
  const listen = element.querySelector(".st-listen");
  let listener = null;
  let wanted = ""; // a stream that another view led to, until the service tells of it

  function look(stream) {
    if (stream === feed.stream) return;
    listener?.stop();
    panel.clear();
    status = null;
    feed.watch(stream);
    tell();
  }

  function tell() {
    const silent = Date.now() - (panel.heard || 0) > QUIET_MS;
    const [kind, words] = describe(feed, status, silent ? (Date.now() - panel.heard) / 1000 : 0);
    state.dataset.state = kind;
    setText(text, words);
  }

  listen.hidden = !document.querySelector('meta[name="streamtag-listen"]');
  listen.onclick = () => {
    if (listener) {
      listener.stop();
      return;
    }
    listener = new Listener(feed.stream, {
      onEnd: (words) => {
        listener = null;
        listen.setAttribute("aria-pressed", false);
        setText(listen, "Listen");
        listen.title = words;
        if (words) setText(text, words);
      },
    });
    listen.setAttribute("aria-pressed", true);
    setText(listen, "Stop listening");
  };
  select.onchange = () => look(select.value);
  feed.on("service", (service) => {
    fillSelect(select, service.streams);
    if (service.streams.includes(wanted)) [select.value, wanted] = [wanted, ""];
    if (service.state !== "connected") status = null;
    if (service.streams.length) look(select.value);
    if (service.session !== session) panel.heard = Date.now();
    session = service.session;
    tell();
  });
  feed.on("stream", (message) => {
    if (message.stream === feed.stream) status = message.status;
    tell();
  });
  setInterval(tell, 1000);
  onOpened("live", (stream) => {
    wanted = stream;
    if (!feed.service.streams.includes(stream)) return;
    [select.value, wanted] = [stream, ""];
    look(stream);
  });
}

// Returns a kind for the mark's shape and colour, and a sentence.
function describe(feed, status, silentSeconds) {
  if (feed.service.state !== "connected") return ["none", "Nothing is heard while the tagging service is away."];
  if (!feed.service.streams.length) return ["none", "The service listens to no stream."];
  if (!status) return ["none", "Waiting for this stream …"];
  const reason = status.reason ? ` (${status.reason})` : "";
  switch (status.state) {
    case "live": {
      if (silentSeconds > 0) return ["trouble", `No sound for ${length(silentSeconds)}.`];
      return ["live", `Live since ${clock(status.since)}, ${losses(status)}${reason}`];
    }
    case "starting": return ["none", "Starting …"];
    case "paused": return ["none", `Paused ${status.reason}: connected, and nothing of it is listened to.`];
    case "reconnecting": return ["trouble", `The source is gone. Trying to reach it again${reason}`];
    case "stalled": return ["trouble", `The source is open but brings no sound${reason}`];
    case "ended": return ["none", `Ended${reason}`];
    case "failed": return ["failed", `Failed${reason}`];
    default: return ["none", `${status.state}${reason}`]; // a later version may know more states
  }
}

function losses(status) {
  const told = [];
  if (status.lost_samples) told.push(`${length(status.lost_samples / 16000)} of sound lost on the way`);
  if (status.dropped_patches) told.push(`${length((status.patch_seconds || 0.96) * status.dropped_patches)} skipped because the machine was busy`);
  if (status.model && status.model !== "default") told.push(`heard by the model ${status.model}`);
  return told.join(", ") || "nothing lost";
}
