// The service's state in words, and the switch between light and dark.

import { setText } from "./format.js";
import { sharedFeed } from "./feed.js";

const THEME = "streamtag-theme";

export function mount(element) {
  const state = element.querySelector(".st-connection");
  const text = element.querySelector(".st-connection-text");
  sharedFeed().on("service", (service) => {
    state.dataset.state = service.state;
    setText(text, words(service));
  });
  document.documentElement.lang = "en";
  const wanted = localStorage.getItem(THEME);
  if (wanted) document.body.classList.toggle("dark", wanted === "dark");
  element.querySelector(".st-theme").onclick = () => {
    const dark = document.body.classList.toggle("dark");
    localStorage.setItem(THEME, dark ? "dark" : "light");
  };
}

function words(service) {
  switch (service.state) {
    case "connected": {
      const count = service.streams.length;
      return `Connected: ${count} ${count === 1 ? "stream" : "streams"}`;
    }
    case "lost":
      return "The tagging service stopped answering. This page goes on as soon as it is back.";
    case "page":
      return "This page lost its server. It goes on as soon as it is back.";
    default:
      return "The tagging service is not running yet. This page begins as soon as it does.";
  }
}
