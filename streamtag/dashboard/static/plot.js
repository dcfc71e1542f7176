// A score over an hour, with both thresholds and the events that they make.

import { clock, fitted, onTheme } from "./format.js";
import { variable } from "./palette.js";

const LEFT = 34;
const BELOW = 22;
const GRAB = 14; // pixels
const GAP_SECONDS = 3;

export class Plot {
  // onMove(name, value): a line was dragged.
  constructor(canvas, onMove) {
    this.canvas = canvas;
    this.times = [];
    this.scores = [];
    this.events = [];
    this.on = this.off = 0;
    onTheme(() => this.draw());
    new ResizeObserver(() => this.draw()).observe(canvas);
    let held = null;
    canvas.onpointerdown = (event) => {
      const [on, off] = [this.y(this.on), this.y(this.off)].map((line) => Math.abs(line - event.offsetY));
      held = Math.min(on, off) > GRAB ? null : on <= off ? "on" : "off";
      if (held) canvas.setPointerCapture(event.pointerId);
    };
    canvas.onpointermove = (event) => {
      const near = Math.min(...[this.on, this.off].map((value) => Math.abs(this.y(value) - event.offsetY)));
      canvas.style.cursor = held || near <= GRAB ? "ns-resize" : "";
      if (held) onMove(held, Math.min(1, Math.max(0, this.value(event.offsetY))));
    };
    canvas.onpointerup = () => { held = null; };
  }

  get high() { return this.canvas.clientHeight - BELOW - 8; }

  y(score) { return 8 + (1 - score) * this.high; }

  value(y) { return Math.round(100 * (1 - (y - 8) / this.high)) / 100; }

  show(fields) {
    Object.assign(this, fields);
    this.draw();
  }

  draw() {
    const context = fitted(this.canvas);
    if (!context || !this.times.length) return;
    const wide = this.canvas.clientWidth;
    const end = this.times.at(-1);
    const begin = Math.min(this.times[0], end - 60);
    const x = (time) => LEFT + ((time - begin) / (end - begin)) * (wide - LEFT - 8);
    const [text, line, accent, warn] = ["--st-soft", "--st-line", "--st-accent", "--st-warn"].map(variable);
    context.clearRect(0, 0, wide, this.canvas.clientHeight);
    context.font = "12px system-ui, sans-serif";
    context.globalAlpha = 0.18;
    context.fillStyle = accent;
    for (const event of this.events) {
      context.fillRect(x(event.begin), 8, Math.max(2, x(event.end) - x(event.begin)), this.high);
    }
    context.globalAlpha = 1;
    for (const level of [0, 0.25, 0.5, 0.75, 1]) {
      context.fillStyle = line;
      context.fillRect(LEFT, this.y(level), wide - LEFT - 8, 1);
      context.fillStyle = text;
      context.textAlign = "right";
      context.fillText(level.toFixed(level % 0.5 ? 2 : 1), LEFT - 6, this.y(level) + 4);
    }
    const marks = Math.max(2, Math.min(7, Math.floor(wide / 130)));
    for (let mark = 0; mark < marks; mark += 1) {
      const time = begin + ((end - begin) * mark) / (marks - 1);
      context.textAlign = mark === 0 ? "left" : mark === marks - 1 ? "right" : "center";
      context.fillText(clock(time), x(time), this.canvas.clientHeight - 6);
    }
    this.drawScores(context, x, variable("--st-text"));
    for (const [value, dash, style] of [[this.on, [], accent], [this.off, [7, 5], warn]]) {
      context.setLineDash(dash);
      context.strokeStyle = style;
      context.lineWidth = 2.5;
      context.beginPath();
      context.moveTo(LEFT, this.y(value));
      context.lineTo(wide - 8, this.y(value));
      context.stroke();
    }
    context.setLineDash([]);
  }

  // The highest score of each pixel column: a short sound must show, however long the hour.
  drawScores(context, x, style) {
    context.strokeStyle = style;
    context.lineWidth = 1.4;
    context.beginPath();
    let column = -1;
    let best = 0;
    let before = -Infinity;
    const put = () => { if (column >= 0) context.lineTo(column, this.y(best)); };
    this.times.forEach((time, index) => {
      const at = Math.round(x(time));
      const score = this.scores[index];
      if (time - before > GAP_SECONDS) {
        put();
        context.moveTo(at, this.y(score));
        [column, best] = [at, score];
      } else if (at === column) {
        best = Math.max(best, score);
      } else {
        put();
        [column, best] = [at, score];
      }
      before = time;
    });
    put();
    context.stroke();
  }
}
