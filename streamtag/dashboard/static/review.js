// Walking through events by keyboard: j and k, y and n, space.

export class Review {
  constructor(isShown) {
    this.rows = [];
    this.at = -1;
    document.addEventListener("keydown", (event) => {
      if (!isShown() || event.ctrlKey || event.altKey || event.metaKey) return;
      if (event.target.closest("input, select, textarea, [contenteditable]")) return;
      if (event.key === " " && event.target.closest("button, a")) return;
      if (this.act(event.key)) event.preventDefault();
    });
  }

  set(rows) {
    const before = this.rows[this.at]?.event.id;
    this.rows = rows;
    this.at = rows.findIndex((row) => row.event.id === before);
    if (this.at >= 0) this.rows[this.at].element.setAttribute("aria-current", "true");
  }

  act(key) {
    if (!this.rows.length) return false;
    const row = this.rows[this.at];
    if (key === "j") this.go(Math.min(this.rows.length - 1, this.at + 1));
    else if (key === "k") this.go(Math.max(0, this.at - 1));
    else if (row && key === "y") row.say("yes");
    else if (row && key === "n") row.say("no");
    else if (row && key === " ") row.toggle();
    else return false;
    return true;
  }

  go(at) {
    this.rows[this.at]?.element.removeAttribute("aria-current");
    this.at = at;
    const { element } = this.rows[at];
    element.setAttribute("aria-current", "true");
    element.focus({ preventScroll: true });
    element.scrollIntoView({ block: "nearest" });
  }
}
