// The tabs: one for each view, walked through with the arrow keys.

import { make } from "./format.js";
import { onShown, open, TITLES } from "./views.js";

const STEPS = { ArrowRight: 1, ArrowLeft: -1 };

export function mount(element) {
  const list = element.querySelector("[role=tablist]");
  const tabs = Object.entries(TITLES).map(([name, title]) => {
    const tab = make("button", "st-tab", title);
    tab.type = "button";
    tab.id = `st-tab-${name}`;
    tab.setAttribute("role", "tab");
    tab.setAttribute("aria-controls", `st-${name}`);
    tab.onclick = () => open(name);
    return tab;
  });
  list.append(...tabs);
  list.onkeydown = (event) => {
    const at = tabs.indexOf(document.activeElement);
    const next = { Home: 0, End: tabs.length - 1 }[event.key] ?? at + (STEPS[event.key] ?? NaN);
    if (at < 0 || Number.isNaN(next)) return;
    event.preventDefault();
    const tab = tabs[(next + tabs.length) % tabs.length];
    tab.focus();
    tab.click();
  };
  onShown((name) => {
    for (const tab of tabs) {
      const isOpen = tab.id === `st-tab-${name}`;
      tab.setAttribute("aria-selected", isOpen);
      tab.tabIndex = isOpen ? 0 : -1;
      if (isOpen) list.scrollTo({ left: tab.offsetLeft - (list.clientWidth - tab.clientWidth) / 2, behavior: "smooth" });
    }
  });
}
