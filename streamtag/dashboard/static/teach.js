// Teach: mark a sound, name it, see what else it finds, and what was learnt from what.

import { ask, length, make, score, setText } from "./format.js";
import { Finds } from "./finds.js";
import { Learnt } from "./learnt.js";
import { Origins } from "./origins.js";
import { Player } from "./player.js";
import { asBase64, playSamples } from "./sound.js";
import { SpanPicker } from "./span_picker.js";
import { onShown, onOpened } from "./views.js";

const REFRESH_MS = 4000;

export function mount(element) {
  const find = (selector) => element.querySelector(selector);
  const [form, list, none, note] = [find("form"), find(".st-examples"), find(".st-no-examples"), find("form .st-note")];
  const submit = form.querySelector("[type=submit]");
  const now = find(".st-taught-now");
  const picker = new SpanPicker(find(".st-picker"));
  const origins = new Origins(find("[aria-label='Mark a sound']"), picker);
  const finds = new Finds(find(".st-finds"), { player: new Player(), onSaid: (words) => { say(words); refresh(); } });
  const learnt = new Learnt(find(".st-learnt"), {
    names: find("#st-taught"),
    onPick: (name) => { form.elements.name.value = name; choose(name); form.scrollIntoView({ block: "nearest" }); },
    onChange: (words) => { say(words); refresh(); },
  });
  let examples = [];
  let shown = false;
  let known = new Set();
  let cannot = "";

  const say = (words) => setText(note, words);

  function add(example) {
    examples.push(example);
    draw();
    say("");
  }

  function draw() {
    none.hidden = examples.length > 0;
    submit.disabled = Boolean(cannot) || !form.elements.name.value.trim() || !examples.length;
    list.replaceChildren(...examples.map((each) => {
      const item = make("li", "st-example");
      const seconds = each.samples ? `, ${length(each.samples.length / each.rate)}` : "";
      item.append(make("span", "", `${each.isLike ? "" : "not: "}${each.source}${seconds}`));
      if (each.samples) {
        const play = make("button", "st-link st-bare", "Play");
        play.type = "button";
        play.setAttribute("aria-label", `Play the example ${each.source}`);
        play.onclick = () => playSamples(each);
        item.append(play);
      }
      const remove = make("button", "st-link st-bare", "Remove");
      remove.type = "button";
      remove.setAttribute("aria-label", `Remove the example ${each.source}`);
      remove.onclick = () => { examples = examples.filter((other) => other !== each); draw(); };
      item.append(remove);
      return item;
    }));
  }

  const asJson = ({ source, samples, rate, event }) => (samples ? { source, rate, sound: asBase64(samples) } : { source, event });

  async function teach() {
    const name = form.elements.name.value.trim();
    submit.disabled = true;
    say(`Teaching ${name} …`);
    const [like, unlike] = [true, false].map((isLike) => examples.filter((each) => each.isLike === isLike).map(asJson));
    const answer = await ask("streamtag/teach/label", "POST", JSON.stringify({ name, stream: examples.find((each) => each.stream)?.stream ?? "", like, unlike }));
    say(answer.error ?? answer.label.words);
    if (!answer.error) {
      examples = [];
      form.elements.name.value = answer.label.name;
      await refresh();
    }
    draw();
  }

  // A label that was taught is followed: what it finds, and its score now.
  function choose(name) {
    const isKnown = known.has(name);
    now.hidden = !isKnown;
    finds.show(isKnown ? name : "");
  }

  async function refresh() {
    const answer = await learnt.load();
    if (!answer) return;
    known = new Set(answer.labels.map((each) => each.name));
    if (answer.cannot !== cannot) {
      cannot = answer.cannot;
      say(cannot);
      draw();
    }
    choose(form.elements.name.value.trim());
  }

  const mark = (isLike) => add({ isLike, source: origins.source, stream: origins.streamOf(), ...picker.marked() });
  find(".st-like").onclick = () => mark(true);
  find(".st-unlike").onclick = () => mark(false);
  origins.onEvent = (event, source) => add({ isLike: true, source, stream: event.stream, event: event.id });
  origins.onScores = ({ labels, stream }, { patch }) => {
    const at = labels.indexOf(form.elements.name.value.trim());
    setText(now.firstElementChild, `Now in ${stream}:`);
    setText(now.lastElementChild, at < 0 ? "not heard yet" : score(patch[at] / 255));
  };
  form.elements.name.oninput = () => { draw(); choose(form.elements.name.value.trim()); };
  form.onsubmit = (event) => { event.preventDefault(); teach(); };
  onOpened("teach", ({ event }) => origins.takeClip(event));
  onShown((name) => {
    shown = name === "teach";
    origins.setShown(shown);
    if (shown) refresh();
  });
  setInterval(() => { if (shown && !document.hidden) choose(form.elements.name.value.trim()); }, REFRESH_MS);
}
