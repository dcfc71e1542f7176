// Puts each view into the slot that Gradio's frame leaves for it: header and tabs at once, the others when they are
// opened first.

import { addSlot } from "./views.js";

function look() {
  for (const slot of document.querySelectorAll(".st-slot:not([data-view])")) addSlot(slot);
}

new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
look();
