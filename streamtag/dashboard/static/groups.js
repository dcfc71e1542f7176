// Groups of sounds: which there are, and one made of a tree of all sounds.

import { ask, make, setText } from "./format.js";
import { sharedFeed } from "./feed.js";
import { SoundTree } from "./sound_tree.js";

const FEW = 6;

export function mount(element) {
  const find = (selector) => element.querySelector(selector);
  const [list, empty, form] = [find(".st-group-list"), find(".st-groups .st-empty"), find("form")];
  const [note, formNote, members, nothing] = [find(".st-groups .st-note"), form.querySelector(".st-note"), find(".st-members"), find(".st-nothing")];
  const [save, remove] = [find(".st-save"), find(".st-remove")];
  const { name, search } = form.elements;
  const tree = new SoundTree(find(".st-tree"), form.querySelector("section .st-empty"), showMembers);
  let before = ""; // what the group in the form is called in the file, empty for a new one
  let labels = "";

  async function load() {
    const answer = await ask("streamtag/groups");
    if (answer.error) {
      setText(empty, answer.error);
      empty.hidden = false;
      return;
    }
    setText(note, answer.cannot_save);
    save.disabled = remove.disabled = Boolean(answer.cannot_save);
    setText(empty, "There is no group yet.");
    empty.hidden = answer.groups.length > 0;
    list.replaceChildren(...answer.groups.map(line));
    tree.offer(answer.sounds);
  }

  function line(group) {
    const item = make("li", "st-event st-alert-line");
    const words = make("div");
    const more = group.labels.length > FEW ? ` and ${group.labels.length - FEW} more` : "";
    words.append(make("strong", "", group.name), make("p", "st-soft", group.labels.slice(0, FEW).join(", ") + more));
    const edit = make("button", "st-play", "Edit");
    edit.type = "button";
    edit.setAttribute("aria-label", `Edit ${group.name}`);
    edit.onclick = () => open(group);
    item.append(words, edit);
    return item;
  }

  function open(group) {
    before = group.name;
    name.value = group.name;
    search.value = "";
    tree.choose(group.labels);
    tree.search("");
    showMembers();
    remove.hidden = !before;
    form.hidden = false;
    setText(formNote, note.textContent);
    name.focus();
    form.scrollIntoView({ block: "nearest" });
  }

  function showMembers() {
    nothing.hidden = tree.chosen.size > 0;
    members.replaceChildren(...[...tree.chosen].sort().map((label) => {
      const item = make("li");
      const out = make("button", "st-play", label);
      out.type = "button";
      out.title = "Take it out";
      out.setAttribute("aria-label", `Take ${label} out`);
      out.onclick = () => {
        tree.chosen.delete(label);
        tree.draw();
        showMembers();
      };
      item.append(out);
      return item;
    }));
  }

  async function change(address) {
    const answer = await ask(address, "POST");
    setText(formNote, answer.saved ? "Saved. The service takes it over by itself." : answer.error);
    if (answer.saved) await load();
    return answer.saved;
  }

  search.oninput = () => tree.search(search.value);
  find(".st-new").onclick = () => open({ name: "", labels: [] });
  find(".st-close").onclick = () => { form.hidden = true; };
  form.onsubmit = async (event) => {
    event.preventDefault();
    const group = JSON.stringify({ name: name.value, labels: [...tree.chosen].sort(), before });
    if (await change(`streamtag/groups/save?${new URLSearchParams({ group })}`)) {
      before = name.value.trim();
      remove.hidden = false;
    }
  };
  remove.onclick = async () => {
    if (await change(`streamtag/groups/remove?${new URLSearchParams({ name: before })}`)) form.hidden = true;
  };
  sharedFeed().on("service", (service) => {
    const now = JSON.stringify(service.labels);
    if (now !== labels) load();
    labels = now;
  });
  new IntersectionObserver(([entry]) => { if (entry.isIntersecting) load(); }).observe(element);
}
