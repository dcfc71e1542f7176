// The moments of the history that are most like an event.

import { ask, clock, day, make } from "./format.js";
import { pictureOf } from "./event_row.js";

const DAY = 86400;

export class Likeness {
  // onTeach(event): teach a label by the event that they are like.
  constructor(element, { player, onTeach }) {
    this.element = element;
    this.player = player;
    [this.title, this.note, this.list] = ["h2", ".st-empty", ".st-moments"].map((each) => element.querySelector(each));
    element.querySelector(".st-close").onclick = () => { element.hidden = true; };
    element.querySelector(".st-teach").onclick = () => onTeach(this.event);
  }

  async show(event) {
    this.event = event;
    this.element.hidden = false;
    this.title.textContent = `Most like ${event.label}, ${event.stream}, ${clock(event.time)}`;
    this.note.hidden = false;
    this.note.textContent = "Looking …";
    this.list.replaceChildren();
    this.element.scrollIntoView({ block: "nearest", behavior: "smooth" });
    const answer = await ask(`streamtag/history/like?event=${event.id}`);
    if (this.event !== event) return;
    const moments = answer.moments ?? [];
    this.note.textContent = answer.error ?? "Nothing else was found.";
    this.note.hidden = moments.length > 0;
    this.list.replaceChildren(...moments.map((moment) => momentItem(moment, this.player)));
  }
}

// The time alone of what is less than a day ago.
function when(time) {
  return Date.now() / 1000 - time < DAY ? clock(time) : `${day(time)}, ${clock(time)}`;
}

// A moment with its picture, where it began an event of which there is a recording.
export function momentItem(moment, player, words = `${Math.round(100 * Math.max(0, moment.likeness))} % alike`) {
  const item = make("li", "st-moment");
  const sight = make("span", "st-moment-sight");
  if (moment.event?.clip) sight.append(pictureOf(moment.event));
  const about = make("span", "st-moment-about");
  about.append(
    make("strong", "", moment.event?.label ?? "No event"),
    make("span", "st-soft", `${moment.stream}, ${when(moment.time)}`),
    make("span", "st-soft", words),
  );
  item.append(sight, about);
  if (moment.event?.clip) {
    const play = make("button", "st-play", "Play");
    play.type = "button";
    play.setAttribute("aria-label", `Play ${moment.event.label} at ${clock(moment.time)}`);
    play.onclick = () => player.toggle(`streamtag/history/clips/${moment.event.id}`, play);
    item.append(play);
  }
  return item;
}
