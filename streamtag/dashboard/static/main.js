// Puts each view into the place that Gradio's frame leaves for it: header and tabs at once, the others when they are
// opened first.

import { arrive } from "./views.js";

function look() {
  for (const place of document.querySelectorAll(".st-place:not([data-view])")) arrive(place);
}

new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
look();
