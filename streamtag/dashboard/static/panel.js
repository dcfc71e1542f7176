// What is heard of one stream: level, spectrum, bars, timeline, events. The live view and the microphone share it.

import { EventList } from "./events.js";
import { Heatmap } from "./heatmap.js";
import { Meter } from "./meter.js";
import { Rows } from "./rows.js";
import { Spectrogram } from "./spectrogram.js";

const MINUTES = 5;

export class Panel {
  constructor(element, feed) {
    const find = (selector) => element.querySelector(selector);
    this.meter = new Meter(find(".st-meter"));
    this.spectrogram = new Spectrogram(find(".st-spectrogram"));
    this.rows = new Rows(find(".st-rows"));
    this.heatmap = new Heatmap(find(".st-heatmap"), { seconds: 60 * MINUTES });
    this.heatmap.setTimes([`${MINUTES} min ago`, "now"]);
    this.events = new EventList(find(".st-events"), find(".st-happened .st-empty"));
    this.attach(feed);
  }

  attach(feed) {
    const mine = (act) => (message) => { if (this.feed === feed) act(message); };
    this.feed = feed;
    feed.on("levels", mine((message) => { this.heard = Date.now(); this.meter.show(message); this.spectrogram.show(message); }));
    feed.on("scores", mine((message) => {
      this.rows.show(feed.labels, message.rolling);
      this.heatmap.add(feed.labels, message);
    }));
    feed.on("stream", mine((message) => { this.heatmap.patchSeconds = message.status?.patch_seconds || 0.96; }));
    feed.on("backlog", mine((patches) => this.heatmap.setPatches(feed.labels, patches)));
    feed.on("events", mine((message) => this.events.setAll(message.events)));
    feed.on("event", mine((message) => this.events.show(message)));
  }

  clear() {
    for (const part of [this.meter, this.spectrogram, this.rows, this.heatmap, this.events]) part.clear();
    this.heard = Date.now();
  }
}
