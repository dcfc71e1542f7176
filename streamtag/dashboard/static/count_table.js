// Counts by sound and time as a table of buttons; a stronger colour is more. Arrow keys walk through it.

import { clock, day, make } from "./format.js";
import { colour, colours } from "./palette.js";

const STEPS = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0] };
const MUCH = 1.5; // times what is usual
const LEAST = 3; // events that differ before that is worth a word

export class CountTable {
  // onField({ label, begin, end, count }): a field was pressed.
  constructor(element, onField) {
    this.element = element;
    this.onField = onField;
    element.onkeydown = (event) => this.walk(event);
  }

  show({ edges, labels }, { kind, compared }) {
    const held = this.element.contains(document.activeElement) ? document.activeElement.dataset.at : "";
    const most = Math.max(...labels.flatMap((each) => each.counts));
    this.element.dataset.kind = kind;
    this.element.style.setProperty("--columns", edges.length - 1);
    this.element.replaceChildren(this.head(edges, kind, compared), this.body(edges, labels, { kind, compared, most }));
    const focus = held && this.element.querySelector(`[data-at="${held}"]`);
    const first = this.element.querySelector("button");
    if (focus) focus.focus();
    if (focus || first) (focus || first).tabIndex = 0;
  }

  head(edges, kind, compared) {
    const row = make("tr");
    row.append(make("th", "st-day-name", "Sound"));
    edges.slice(0, -1).forEach((edge) => {
      const cell = make("th", "st-day-hour");
      const date = new Date(1000 * edge);
      if (kind === "day") cell.textContent = String(date.getHours());
      else if (kind === "week") cell.textContent = date.toLocaleDateString([], { weekday: "short", day: "numeric" });
      else cell.textContent = String(date.getDate());
      cell.title = spoken(edge, kind);
      if (kind === "weeks" && date.getDay() === 1) cell.dataset.monday = true;
      row.append(cell);
    });
    row.append(make("th", "st-number", "Events"), make("th", "st-number", "First"), make("th", "st-number", "Last"));
    if (compared) row.append(make("th", "st-number st-day-usual", "Usual"));
    for (const cell of row.children) cell.scope = "col";
    const head = make("thead");
    head.append(row);
    return head;
  }

  body(edges, labels, look) {
    const body = make("tbody");
    const table = colours();
    labels.forEach((each, line) => {
      const row = make("tr");
      const name = make("th", "st-day-name", each.label);
      name.scope = "row";
      name.title = each.label;
      row.append(name);
      each.counts.forEach((count, column) => row.append(this.field(each, count, { edges, line, column, table, ...look })));
      const when = (time) => (look.kind === "day" ? clock(time).replace(/(\d\d:\d\d):\d\d/, "$1") : day(time));
      row.append(make("td", "st-number st-day-total", String(each.total)));
      row.append(named("First", when(each.first)), named("Last", when(each.last)));
      if (look.compared) row.append(usual(each));
      body.append(row);
    });
    return body;
  }

  field({ label }, count, { edges, line, column, table, kind, most }) {
    const cell = make("td", "st-day-cell");
    if (!count) return cell;
    const [begin, end] = [edges[column], edges[column + 1]];
    const button = make("button", "", count > 999 ? "1k+" : String(count));
    button.type = "button";
    button.tabIndex = -1;
    button.dataset.at = `${line}-${column}`;
    button.setAttribute("aria-label", `${label}, ${spoken(begin, kind)}: ${count} ${count === 1 ? "event" : "events"}`);
    const step = Math.round(56 + 199 * Math.sqrt(count / most));
    button.style.background = colour(table, step);
    button.style.color = ink(table, step);
    button.onclick = () => this.onField({ label, begin, end, count });
    cell.append(button);
    return cell;
  }

  // To the next field that has events.
  walk(event) {
    const step = STEPS[event.key];
    if (!step || !event.target.dataset.at) return;
    event.preventDefault();
    const rows = [...this.element.tBodies[0].rows];
    let [line, column] = event.target.dataset.at.split("-").map(Number);
    const wide = rows[0].querySelectorAll(".st-day-cell").length;
    for (;;) {
      [line, column] = [line + step[0], column + step[1]];
      if (line < 0 || line >= rows.length || column < 0 || column >= wide) return;
      const next = rows[line].querySelector(`[data-at="${line}-${column}"]`);
      if (!next) continue;
      event.target.tabIndex = -1;
      next.tabIndex = 0;
      next.focus();
      return;
    }
  }
}

function named(name, text) {
  const cell = make("td", "st-number", text);
  cell.dataset.name = name;
  return cell;
}

function usual({ total, usual: mean }) {
  const cell = named("Usual", "");
  cell.classList.add("st-day-usual");
  const rounded = mean < 10 ? Number(mean.toFixed(1)) : Math.round(mean);
  const differs = Math.abs(total - mean) >= LEAST;
  const sign = differs && total > mean * MUCH ? "▲" : differs && total * MUCH < mean ? "▼" : "";
  cell.append(make("span", "st-day-sign", sign), String(rounded));
  if (sign) cell.title = sign === "▲" ? "more than usual" : "less than usual";
  if (sign) cell.setAttribute("aria-label", `usual ${rounded}, ${cell.title}`);
  return cell;
}

function spoken(edge, kind) {
  return kind === "day" ? `${new Date(1000 * edge).getHours()} o'clock` : day(edge);
}

// Dark or light, whichever is read more easily on a colour.
function ink(table, step) {
  const [red, green, blue] = [0, 1, 2].map((part) => (table[3 * step + part] / 255) ** 2.2);
  return 0.2126 * red + 0.7152 * green + 0.0722 * blue > 0.18 ? "#10161f" : "#ffffff";
}
