// One event of the history as a row: what it looks and sounds like, what it is called, and whether that is right.

import { ask, clock, day, isDark, length, make, score, setText } from "./format.js";

export function pictureOf(event) {
  const picture = make("img", "st-picture");
  picture.alt = "";
  picture.loading = "lazy";
  picture.decoding = "async";
  picture.dataset.address = `streamtag/history/pictures/${event.id}?t=${event.time.toFixed(2)}`;
  tint(picture);
  return picture;
}

// Pictures are drawn for a light or a dark page.
export function tint(picture) {
  picture.src = picture.dataset.address + (isDark() ? "&dark=1" : "");
}

export class EventRow {
  // player: plays clips; onLike, onTeach: what their buttons do, with this row.
  constructor(event, { player, onLike, onTeach, onSaid }) {
    this.event = event;
    this.player = player;
    this.onSaid = onSaid;
    this.element = make("tr");
    this.element.tabIndex = -1;
    const when = `${day(event.time)}, ${clock(event.time)}`;
    const sight = make("td", "st-sight");
    if (event.clip) sight.append(pictureOf(event));
    this.span = make("td", "st-number st-length", "");
    this.score = make("td", "st-number st-score", "");
    this.element.append(
      sight, make("td", "st-when-cell", when), make("td", "st-wide", event.label), make("td", "st-stream-cell", event.stream),
      this.span, this.score, this.hearing(when), this.saying(when), this.learning(when, onLike, onTeach),
    );
    this.write(event);
  }

  hearing(when) {
    const cell = make("td", "st-hearing");
    if (!this.event.clip) return cell;
    this.address = `streamtag/history/clips/${this.event.id}`;
    this.play = make("button", "st-play", "Play");
    this.play.type = "button";
    this.play.setAttribute("aria-label", `Play ${this.event.label} at ${when}`);
    this.play.onclick = () => this.toggle();
    const link = make("a", "st-link st-small", "Download");
    link.href = `${this.address}?download=1`;
    link.setAttribute("aria-label", `Download ${this.event.label} at ${when}`);
    cell.append(this.play, link);
    return cell;
  }

  saying(when) {
    const cell = make("td", "st-saying");
    this.verdicts = ["yes", "no"].map((right) => {
      const button = make("button", "st-verdict", right === "yes" ? "Yes" : "No");
      button.type = "button";
      button.setAttribute("aria-label", `${right === "yes" ? "Right" : "Wrong"}: ${this.event.label} at ${when}`);
      button.onclick = () => this.say(right);
      return button;
    });
    cell.append(...this.verdicts);
    return cell;
  }

  learning(when, onLike, onTeach) {
    const cell = make("td", "st-learning");
    const like = make("button", "st-link st-small st-bare", "More like this");
    const teach = make("button", "st-link st-small st-bare", "Teach");
    like.onclick = () => onLike(this);
    teach.onclick = () => onTeach(this);
    for (const button of [like, teach]) {
      button.type = "button";
      button.setAttribute("aria-label", `${button.textContent}: ${this.event.label} at ${when}`);
    }
    cell.append(like, teach);
    return cell;
  }

  write(event) {
    this.event = event;
    setText(this.span, event.on ? "going on" : event.seconds === null ? "unknown" : length(event.seconds));
    setText(this.score, score(event.peak));
    this.mark(event.right ?? null);
  }

  mark(right) {
    this.event.right = right;
    const [yes, no] = this.verdicts;
    yes.setAttribute("aria-pressed", right === true);
    no.setAttribute("aria-pressed", right === false);
  }

  toggle() {
    if (this.play) this.player.toggle(this.address, this.play);
  }

  // The same answer again takes it back.
  async say(right) {
    const isSame = this.event.right === (right === "yes");
    const query = isSame ? { name: this.event.name } : { event: this.event.id, right };
    const before = this.event.right;
    this.mark(isSame ? null : right === "yes");
    const answer = await ask(`streamtag/history/judge?${new URLSearchParams(query)}`, "POST");
    if (answer.error) this.mark(before);
    this.onSaid(answer.error ?? answer.words, this);
  }
}
