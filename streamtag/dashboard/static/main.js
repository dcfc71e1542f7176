// Puts each view into the place that Gradio's frame leaves for it, as soon as that is there.

async function fill(place) {
  const name = place.id.replace("st-", "");
  place.dataset.view = name;
  const view = import(`./${name}.js`);
  place.innerHTML = await (await fetch(`streamtag/static/${name}.html`)).text();
  (await view).mount(place);
}

function look() {
  for (const place of document.querySelectorAll(".st-place:not([data-view])")) fill(place);
}

new MutationObserver(look).observe(document.documentElement, { childList: true, subtree: true });
look();
