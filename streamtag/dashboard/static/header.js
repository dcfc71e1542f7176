// The service's state in words, and the switch between light and dark.

import { setText } from "./format.js";
import { sharedFeed } from "./feed.js";

const THEME = "streamtag-theme";
const STATES = ["live", "paused", "starting", "reconnecting", "stalled", "failed", "ended"];

export function mount(element) {
  const state = element.querySelector(".st-connection");
  const text = element.querySelector(".st-connection-text");
  sharedFeed().on("service", (service) => {
    state.dataset.state = service.state;
    setText(text, words(service));
  });
  element.querySelector(".st-logout").hidden = !document.querySelector('meta[name="streamtag-login"]');
  document.documentElement.lang = "en";
  const wanted = localStorage.getItem(THEME);
  if (wanted) document.body.classList.toggle("dark", wanted === "dark");
  element.querySelector(".st-theme").onclick = () => {
    const dark = document.body.classList.toggle("dark");
    localStorage.setItem(THEME, dark ? "dark" : "light");
  };
}

// How many streams are what; how many there are, where a service does not tell.
function counts({ streams, states = {} }) {
  const told = STATES.filter((state) => states[state]).map((state) => `${states[state]} ${state}`);
  return told.join(", ") || `${streams.length} ${streams.length === 1 ? "stream" : "streams"}`;
}

export function words(service) {
  switch (service.state) {
    case "connected":
      return `Connected: ${counts(service)}`;
    case "lost":
      return "The tagging service stopped answering. This page goes on as soon as it is back.";
    case "page":
      return "This page lost its server. It goes on as soon as it is back.";
    default:
      return "The tagging service is not running yet. This page begins as soon as it does.";
  }
}
