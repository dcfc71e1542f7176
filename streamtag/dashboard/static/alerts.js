// Alerts: which there are, what came of them, and one tried on the last day before it is saved.

import { AlertForm } from "./alert_form.js";
import { ask, clock, day, fillList, make, score, setText } from "./format.js";
import { sharedFeed } from "./feed.js";

const REFRESH_MS = 5000;

export function mount(element) {
  const find = (selector) => element.querySelector(selector);
  const [list, empty, form] = [find(".st-alert-list"), find(".st-alerts .st-empty"), find("form")];
  const [note, formNote, count, tried] = [find(".st-alerts .st-note"), form.querySelector(".st-note"), find(".st-count"), find(".st-tried")];
  const [save, remove, fresh] = [find(".st-save"), find(".st-remove"), find(".st-new")];
  const fields = new AlertForm(form);
  const feed = sharedFeed();
  let before = ""; // the name of the alert in the form, empty for a new one
  let cannot = "";
  let shown = "";

  const isShown = () => element.offsetParent !== null && !document.hidden;

  async function load() {
    const answer = await ask("streamtag/alerts");
    if (answer.error) {
      setText(empty, answer.error);
      empty.hidden = false;
      return;
    }
    cannot = answer.cannot_save;
    setText(note, cannot);
    save.disabled = remove.disabled = Boolean(cannot);
    fields.offer(answer.recipients);
    setText(empty, "There is no alert yet.");
    empty.hidden = answer.alerts.length > 0;
    const now = JSON.stringify(answer);
    if (now === shown) return; // what somebody reads or walks through stays as it is
    shown = now;
    list.replaceChildren(...answer.alerts.map(line));
    fillPast(find(".st-told"), answer.told);
    fillPast(find(".st-held"), answer.held);
  }

  function line(alert) {
    const item = make("li", "st-event st-alert-line");
    const words = make("div");
    words.append(make("strong", "", alert.fields.name), make("p", "st-soft", alert.words));
    const edit = make("button", "st-play", "Edit");
    edit.type = "button";
    edit.setAttribute("aria-label", `Edit ${alert.fields.name}`);
    edit.onclick = () => open(alert.fields);
    item.append(words, edit);
    return item;
  }

  function open(alert) {
    before = alert.name ?? "";
    fields.fill(alert);
    remove.hidden = !before;
    form.hidden = false;
    setText(formNote, cannot);
    setText(count, "");
    tried.replaceChildren();
    form.elements.name.focus();
    form.scrollIntoView({ block: "nearest" });
  }

  async function attempt() {
    const answer = await ask(`streamtag/alerts/try?${new URLSearchParams({ alert: JSON.stringify(fields.read()) })}`);
    tried.replaceChildren();
    setText(formNote, answer.error ?? answer.words);
    setText(count, "");
    if (answer.error) return;
    const times = ["nothing", "once"][answer.told] ?? `${answer.told} times`;
    const span = answer.whole ? "In the last day" : "Of the day's newest events";
    setText(count, `${span} it would have told ${times}, and held back ${answer.held || "nothing"}.`);
    tried.replaceChildren(...answer.decisions.map((each) => past(each, each.told ? "told" : each.reason)));
  }

  async function change(address) {
    const answer = await ask(address, "POST");
    if (!answer.saved) {
      setText(formNote, answer.error);
      return false;
    }
    setText(formNote, "Saved. The service takes it over by itself.");
    await load();
    return true;
  }

  find(".st-try").onclick = attempt;
  find(".st-close").onclick = () => { form.hidden = true; };
  fresh.onclick = () => open({});
  form.onsubmit = async (event) => {
    event.preventDefault();
    const alert = fields.read();
    if (await change(`streamtag/alerts/save?${new URLSearchParams({ alert: JSON.stringify(alert), before })}`)) {
      before = alert.name;
      remove.hidden = false;
    }
  };
  remove.onclick = async () => {
    if (await change(`streamtag/alerts/remove?${new URLSearchParams({ name: before })}`)) form.hidden = true;
  };
  feed.on("service", (service) => {
    fillList(find("#st-alert-labels"), [...service.labels].sort());
    fillList(find("#st-alert-streams"), service.streams);
  });

  new IntersectionObserver(([entry]) => { if (entry.isIntersecting) load(); }).observe(element);
  setInterval(() => { if (isShown()) load(); }, REFRESH_MS);
}

function fillPast(list, entries) {
  list.previousElementSibling.hidden = entries.length > 0;
  list.replaceChildren(...entries.map((entry) => past(entry, entry.reason, entry.alert)));
}

function past({ time, stream, what, value }, reason, alert = "") {
  const item = make("li", "st-event");
  const words = make("div");
  const heard = value === null || value < 0 ? what : `${what} (${score(value)})`;
  words.append(make("strong", "", alert || heard), make("p", "st-soft", alert ? `${heard} on ${stream}` : `on ${stream}`));
  if (reason) words.append(make("p", "st-soft", reason));
  item.append(make("time", "", `${day(time)}, ${clock(time)}`), words);
  return item;
}
