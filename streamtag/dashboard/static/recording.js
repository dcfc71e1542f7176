// A dropped recording: its timeline, and its labels running along while it plays.

import { length, make, position, score, setText } from "./format.js";
import { Heatmap } from "./heatmap.js";
import { Rows } from "./rows.js";

const MOST_BYTES = 200 << 20;
const ROLLING = 3; // patches in what is shown beside the player

export function mount(element) {
  const find = (selector) => element.querySelector(selector);
  const [drop, input, message] = [find(".st-drop"), find("input"), find(".st-message")];
  const [audio, result, silent] = [find("audio"), find(".st-recording"), find(".st-silent")];
  const rows = new Rows(find(".st-rows"));
  const heatmap = new Heatmap(find(".st-heatmap"), { seconds: 1, onSeek: seek });
  let tagged = null;
  let question = 0;

  function say(kind, words) {
    message.dataset.state = kind;
    setText(message, words);
  }

  async function tag(file) {
    const mine = (question += 1);
    result.hidden = true;
    if (file.size > MOST_BYTES) {
      say("failed", "This recording is larger than 200 MB.");
      return;
    }
    say("none", `Tagging ${file.name} …`);
    let answer;
    try {
      answer = await (await fetch("streamtag/recording", { method: "POST", body: file })).json();
    } catch {
      answer = { error: "The recording could not be sent." };
    }
    if (mine !== question) return;
    if (answer.error) say("failed", answer.error);
    else show(file, answer);
  }

  function show(file, answer) {
    tagged = answer;
    say("none", answer.notes.join(". "));
    result.hidden = false;
    setText(find(".st-name"), `${file.name}, ${length(answer.seconds)}`);
    silent.hidden = true;
    audio.hidden = false;
    URL.revokeObjectURL(audio.src);
    audio.src = URL.createObjectURL(file);
    heatmap.clear();
    heatmap.setLength(answer.seconds);
    const patches = answer.scores.map((scores, index) => ({
      time: answer.starts[index] + answer.patch_seconds, patch: Uint8Array.from(scores),
    }));
    heatmap.patchSeconds = answer.patch_seconds;
    heatmap.setPatches(answer.labels, patches);
    find(".st-card > .st-empty").hidden = answer.events.length > 0;
    find(".st-events").replaceChildren(...answer.events.map(item));
    follow();
  }

  function item(event) {
    const line = make("li", "st-event");
    line.tabIndex = 0;
    line.setAttribute("role", "button");
    line.setAttribute("aria-label", `${event.label} at ${position(event.onset)}, play from there`);
    line.append(make("time", "", position(event.onset)), make("span", "st-event-name", event.label));
    line.append(make("span", "st-event-length", length(event.offset - event.onset)));
    line.title = `up to ${score(event.peak)}`;
    line.onclick = () => { seek(event.onset); audio.play().catch(() => {}); };
    line.onkeydown = (key) => { if (key.key === "Enter" || key.key === " ") { key.preventDefault(); line.onclick(); } };
    return line;
  }

  function seek(seconds) {
    audio.currentTime = seconds;
    follow();
  }

  function follow() {
    if (!tagged) return;
    const now = audio.currentTime;
    setText(find(".st-where"), `at ${position(now)}`);
    let last = tagged.starts.findLastIndex((start) => start <= now);
    last = Math.max(0, last);
    const recent = tagged.scores.slice(Math.max(0, last - ROLLING + 1), last + 1);
    const mean = tagged.labels.map((_, label) => recent.reduce((sum, scores) => sum + scores[label], 0) / recent.length);
    rows.show(tagged.labels, Uint8Array.from(mean));
    heatmap.cursor = now;
    heatmap.draw();
  }

  audio.ontimeupdate = follow;
  audio.onerror = () => { silent.hidden = false; audio.hidden = true; };
  input.onchange = () => { if (input.files.length) tag(input.files[0]); input.value = ""; };
  input.disabled = false;
  for (const kind of ["dragenter", "dragover"]) {
    drop.addEventListener(kind, (event) => { event.preventDefault(); drop.dataset.over = true; });
  }
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => { drop.dataset.over = false; });
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files.length) tag(event.dataTransfer.files[0]);
  });
}
