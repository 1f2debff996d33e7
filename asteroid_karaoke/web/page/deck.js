// The player's view: what its knobs and keys do.

import { Trouble, ask } from "./api.js";
import { $, all, press } from "./dom.js";
import { Figure } from "./figure.js";
import { Player, TRACKS } from "./player.js";
import { Wave } from "./wave.js";
import { FORMAT_NAMES, clock, megabytes, signed, time } from "./words.js";

const WATCH = 500; // ms
const RENDER_DELAY = 400; // ms: somebody who steps thrice means the last one.
const LIMITS = { key: [-12, 12], tempo: [50, 200] };

export class Deck {
  player = new Player();
  figure = new Figure();
  #song = null;
  #set = { key: 0, tempo: 100 };
  #rendering = null;
  #timer = 0;

  constructor(about) {
    this.about = about;
    this.wave = new Wave($("wave"));
    for (const format of about.formats.filter((name) => name in FORMAT_NAMES)) {
      $("format").append(new Option(FORMAT_NAMES[format], format));
    }
    this.#wire();
  }

  // song: the server's word on a song that is ready.
  async open(song) {
    this.#song = song;
    this.#set = { key: 0, tempo: 100 };
    const { rate, frames, scale } = song;
    this.player.open({ url: `${this.#path}/sound?key=0&tempo=1`, rate, frames, scale });
    $("song").textContent = song.name;
    this.figure.open(`${this.#path}/picture`);
    $("kept").textContent = `Kept until ${time(song.expires)}, then deleted.`;
    $("level").value = $("level").min;
    this.#tell("save-told", "");
    this.#tell("steps-told", "");
    this.#level();
    this.#steps();
    this.wave.peaks = null;
    try {
      this.wave.peaks = await ask(`${this.#path}/peaks`);
    } catch (error) {
      this.#tell("save-told", error.message, true);
    }
  }

  close() {
    clearTimeout(this.#timer);
    this.#rendering?.abort();
    this.#song = null;
    this.figure.close();
    this.player.close();
  }

  get #path() {
    return `/api/songs/${this.#song.id}`;
  }

  #wire() {
    const { player, wave } = this;
    player.addEventListener("change", () => this.#show());
    player.addEventListener("trouble", (event) => this.#tell("save-told", event.detail.message, true));
    wave.addEventListener("seek", ({ detail }) => player.seek(detail * player.frames));
    wave.addEventListener("loop", ({ detail }) =>
      player.setLoop(...detail.map((share) => Math.round(share * player.frames))));
    $("play").addEventListener("click", () => this.#toggle());
    for (const button of all("[data-skip]")) {
      button.addEventListener("click", () => this.#skip(Number(button.dataset.skip)));
    }
    $("loop-a").addEventListener("click", () => this.#edge("a"));
    $("loop-b").addEventListener("click", () => this.#edge("b"));
    $("loop-off").addEventListener("click", () => player.setLoop(null, null));
    $("level").addEventListener("input", () => this.#level());
    for (const what of ["solo", "mute"]) {
      for (const button of all(`[data-${what}]`)) {
        const field = what === "mute" ? "muted" : what;
        button.addEventListener("click", () => player.toggle(button.dataset[what], field));
      }
    }
    for (const button of all("[data-step]")) {
      const [what, step] = button.dataset.step.split(":");
      button.addEventListener("click", () => this.#step(what, Number(step)));
    }
    for (const button of all("[data-save]")) {
      button.addEventListener("click", () => this.#save(button.dataset.save));
    }
    document.addEventListener("keydown", (event) => this.#key(event));
    // After a click, the space bar is the player's again, not the button's.
    document.addEventListener("click", (event) => {
      if (event.detail) event.target.closest?.("#player button")?.blur();
    });
  }

  #toggle() {
    if (this.player.playing) this.player.pause();
    else this.player.play();
  }

  #skip(seconds) {
    this.player.seek(this.player.position + seconds * this.player.rate);
  }

  #edge(which) {
    const { player } = this;
    const [first, last] = player.loop ?? [null, null];
    const here = player.position;
    if (which === "a") player.setLoop(here, last !== null && last > here ? last : null);
    else player.setLoop(first ?? 0, here);
  }

  // In dB; nothing at the slider's left end.
  get #decibels() {
    const { value, min } = $("level");
    return value === min ? -Infinity : Number(value);
  }

  #level() {
    const level = this.#decibels;
    const told = level === -Infinity ? "off" : `${signed(level)} dB`;
    $("level-told").textContent = told;
    $("level").setAttribute("aria-valuetext", told);
    this.player.setLevel("voice", 10 ** (level / 20));
  }

  #step(what, step) {
    const [lowest, highest] = LIMITS[what];
    this.#set[what] = Math.min(Math.max(this.#set[what] + step, lowest), highest);
    this.#steps();
    clearTimeout(this.#timer);
    this.#rendering?.abort();
    this.#tell("steps-told", "Changing …");
    this.#timer = setTimeout(() => this.#render(), RENDER_DELAY);
  }

  #steps() {
    const { key, tempo } = this.#set;
    $("key").textContent = signed(key);
    $("tempo").textContent = `${tempo} %`;
    for (const button of all("[data-step]")) {
      const [what, step] = button.dataset.step.split(":");
      const edge = LIMITS[what][Number(step) > 0 ? 1 : 0];
      button.disabled = !this.about.stretch || this.#set[what] === edge;
    }
  }

  async #render() {
    const order = { key: this.#set.key, tempo: this.#set.tempo / 100 };
    this.#rendering = new AbortController();
    const { signal } = this.#rendering;
    try {
      const made = await this.#made("renderings", order, "steps-told", "Changing …", signal);
      const url = `${this.#path}/sound?key=${order.key}&tempo=${order.tempo}`;
      this.player.replace(url, made.frames);
      this.#tell("steps-told", "");
    } catch (error) {
      if (error.name !== "AbortError") this.#tell("steps-told", error.message, true);
    }
  }

  // Have the server make something, and tell how far it is.
  async #made(what, body, id, told, signal) {
    const path = this.#path;
    let busy = true;
    const watch = async () => {
      while (busy && !signal?.aborted) {
        const { rendered } = await ask(path, { signal });
        if (busy && !signal?.aborted && rendered) {
          this.#share(id, `${Math.floor(100 * rendered)} %`);
        }
        await new Promise((resolve) => setTimeout(resolve, WATCH));
      }
    };
    this.#tell(id, told);
    // How far it is does not matter where it can not be told.
    watch().catch(() => {});
    try {
      return await ask(`${path}/${what}`, { method: "POST", body, signal });
    } finally {
      busy = false;
    }
  }

  async #save(stem) {
    const level = this.#decibels;
    const body = {
      stem,
      format: $("format").value,
      level: level === -Infinity ? "-inf" : `${level}dB`,
      key: this.#set.key,
      tempo: this.#set.tempo / 100,
    };
    const buttons = all("[data-save]");
    for (const button of buttons) button.disabled = true;
    try {
      const made = await this.#made("files", body, "save-told", "Writing the file …");
      const link = Object.assign(document.createElement("a"), { href: made.url, download: made.name });
      link.click();
      this.#tell("save-told", `${made.name}, ${megabytes(made.bytes)}`);
    } catch (error) {
      if (error instanceof Trouble) this.#tell("save-told", error.message, true);
      else throw error;
    } finally {
      for (const button of buttons) button.disabled = false;
    }
  }

  // Beside what is told, not in it: a screen reader says what is told anew at each change.
  #share(id, text) {
    $(id.replace("told", "share")).textContent = text;
  }

  #tell(id, text, bad = false) {
    this.#share(id, "");
    const resting = {
      "save-told": "Saved as it plays: level, key and tempo.",
      "steps-told": this.about.stretch
        ? "Voice and karaoke change together."
        : "This server can not change key or tempo: it lacks the extra stretch.",
    };
    $(id).textContent = text || resting[id];
    $(id).parentElement.classList.toggle("bad", bad);
  }

  #show() {
    const { player } = this;
    if (!player.frames) return;
    const { playing, loop } = player;
    $("play").classList.toggle("on", playing);
    $("play").setAttribute("aria-label", playing ? "Pause" : "Play");
    for (const name of TRACKS) {
      const track = player.tracks[name];
      press(`[data-solo="${name}"]`, track.solo);
      press(`[data-mute="${name}"]`, track.muted);
    }
    const seconds = (frames) => frames / player.rate;
    $("length").textContent = clock(seconds(player.frames));
    $("loop-off").disabled = !loop;
    $("loop-a").classList.toggle("set", Boolean(loop));
    $("loop-b").classList.toggle("set", Boolean(loop) && loop[1] !== null);
    const ends = loop?.map((edge) => (edge === null ? "…" : clock(seconds(edge))));
    $("loop-range").textContent = ends ? `Loop ${ends.join(" – ")}` : "";
    $("wave").setAttribute("aria-valuemax", Math.round(seconds(player.frames)));
    this.#follow();
  }

  // Where the song is, at every picture while it plays.
  #follow() {
    const { player } = this;
    if (!player.frames) return;
    const { position, frames, rate } = player;
    const here = position / rate;
    this.wave.show({
      position: position / frames,
      loop: player.loop?.map((edge) => edge && edge / frames) ?? null,
      voice: player.heard("voice"),
      karaoke: player.heard("karaoke"),
    });
    $("now").textContent = clock(here);
    $("wave").setAttribute("aria-valuenow", Math.round(here));
    $("wave").setAttribute("aria-valuetext", `${clock(here)} of ${clock(frames / rate)}`);
    cancelAnimationFrame(this.frame);
    if (player.playing) this.frame = requestAnimationFrame(() => this.#follow());
  }

  #key(event) {
    const { target, key, shiftKey } = event;
    if (!this.#song || event.ctrlKey || event.metaKey || event.altKey) return;
    const typing = target.matches("input:not([type=range]), select, textarea");
    const own = key === " " ? "button, summary, a" : "input";
    if (typing || target.matches(own)) return;
    const { player } = this;
    const act = {
      " ": () => this.#toggle(),
      arrowleft: () => this.#skip(shiftKey ? -1 : -5),
      arrowright: () => this.#skip(shiftKey ? 1 : 5),
      arrowup: () => this.#nudge(1),
      arrowdown: () => this.#nudge(-1),
      home: () => player.seek(0),
      a: () => this.#edge("a"),
      b: () => this.#edge("b"),
      escape: () => player.setLoop(null, null),
      v: () => player.toggle("voice", shiftKey ? "solo" : "muted"),
      k: () => player.toggle("karaoke", shiftKey ? "solo" : "muted"),
    }[key.toLowerCase()];
    if (!act) return;
    event.preventDefault();
    act();
  }

  #nudge(step) {
    $("level").value = Number($("level").value) + step;
    this.#level();
  }
}
