// Numbers, times and elements in the words of the page.

// A WebSocket beside the page, wherever that is: within Home Assistant it has a path of its own.
export function socketAt(path) {
  const address = new URL(path, document.baseURI);
  address.protocol = address.protocol === "https:" ? "wss:" : "ws:";
  return new WebSocket(address);
}

export function clock(seconds) {
  return new Date(1000 * seconds).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit" });
}

export function day(seconds) {
  return new Date(1000 * seconds).toLocaleDateString([], { month: "short", day: "numeric" });
}

export function position(seconds) {
  const whole = Math.floor(seconds);
  const rest = String(whole % 60).padStart(2, "0");
  if (whole < 3600) return `${Math.floor(whole / 60)}:${rest}`;
  return `${Math.floor(whole / 3600)}:${String(Math.floor(whole / 60) % 60).padStart(2, "0")}:${rest}`;
}

export function length(seconds) {
  if (seconds < 60) return `${seconds.toFixed(1)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

export function score(value) {
  return value.toFixed(2);
}

export function make(name, className, text) {
  const element = document.createElement(name);
  if (className) element.className = className;
  if (text !== undefined) element.textContent = text;
  return element;
}

export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

export function fillSelect(select, values, words = (value) => value) {
  const before = select.value;
  const wanted = JSON.stringify(values);
  if (select.dataset.values === wanted) return;
  select.dataset.values = wanted;
  select.replaceChildren(...values.map((value) => new Option(words(value), value)));
  if (values.includes(before)) select.value = before;
}

export function fillList(list, values) {
  const wanted = JSON.stringify(values);
  if (list.dataset.values === wanted) return;
  list.dataset.values = wanted;
  list.replaceChildren(...values.map((value) => new Option(value, value)));
}

export function isDark() {
  return document.body.classList.contains("dark") || document.documentElement.classList.contains("dark");
}

export function onTheme(listener) {
  const observer = new MutationObserver(listener);
  observer.observe(document.body, { attributes: true, attributeFilter: ["class"] });
  observer.observe(document.documentElement, { attributes: true, attributeFilter: ["class"] });
}

// Fits a canvas to its box on this screen; returns its context in CSS pixels, or null while it is hidden.
export function fitted(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const width = canvas.clientWidth;
  const height = canvas.clientHeight;
  if (!width || !height) return null;
  const [wide, high] = [Math.round(width * ratio), Math.round(height * ratio)];
  if (canvas.width !== wide || canvas.height !== high) [canvas.width, canvas.height] = [wide, high];
  const context = canvas.getContext("2d");
  context.setTransform(ratio, 0, 0, ratio, 0, 0);
  return context;
}

// Asks the page's server; what went wrong is the answer's `error`.
export async function ask(address, method = "GET", body = undefined) {
  try {
    return await (await fetch(address, { method, body })).json();
  } catch {
    return { error: "The page's server does not answer." };
  }
}
