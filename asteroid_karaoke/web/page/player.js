// Two tracks on one clock. The server's file holds both side by side as 16-bit PCM (playback.py):
// pieces of it are fetched by range shortly before they are heard, and each is put on the audio
// clock to the sample, voice and karaoke at the same time. Memory does not grow with the song.

import { range } from "./api.js";

const PIECE_SECONDS = 4;
const AHEAD_SECONDS = 6; // Timers of pages in the background may sleep for a second.
const PUMP_SECONDS = 0.15;
const KEPT_PIECES = 16;
const FADE_SECONDS = 0.012; // Short enough to feel like now, long enough not to click.
const BYTES_PER_FRAME = 8;
const SHORTEST_LOOP = 0.2;
export const TRACKS = ["voice", "karaoke"];

export class Player extends EventTarget {
  // Levels are factors; `node` is the track's gain in the audio graph, once there is one.
  tracks = Object.fromEntries(
    TRACKS.map((name) => [name, { level: 1, muted: false, solo: false, node: null }]),
  );
  context = null;
  loop = null; // [first, last] in frames; last may be null while only A is set.
  frames = 0;
  #url = "";
  #at = 0;
  #run = null;
  #pieces = new Map();

  // song: url, rate (Hz), frames, and scale, the level that samples are written at.
  open(song) {
    this.close();
    Object.assign(this, { rate: song.rate, frames: song.frames, scale: song.scale, loop: null });
    this.#url = song.url;
    this.#at = 0;
    for (const track of Object.values(this.tracks)) {
      Object.assign(track, { level: 1, muted: false, solo: false, node: null });
    }
    this.#changed();
  }

  close() {
    this.pause();
    this.context?.close();
    this.context = null;
    this.#pieces.clear();
  }

  // The same song in another key or tempo: goes on at the same place of the song.
  replace(url, frames) {
    const share = this.position / this.frames;
    const playing = this.playing;
    this.#stop();
    this.loop = this.loop?.map((edge) => edge && Math.round((edge * frames) / this.frames));
    this.#url = url;
    this.frames = frames;
    this.#pieces.clear();
    this.#at = Math.round(share * frames);
    if (playing) this.#start();
    this.#changed();
  }

  get playing() {
    return this.#run !== null;
  }

  // Where the song is, in frames: what is heard, not what is scheduled.
  get position() {
    const run = this.#run;
    if (!run?.segments.length) return this.#at;
    const late = this.context.outputLatency || 0;
    const heard = (this.context.currentTime - late) * this.rate;
    const segment = run.segments.findLast(({ clock }) => clock <= heard) ?? run.segments[0];
    const within = Math.min(Math.max(heard - segment.clock, 0), segment.count);
    return Math.round(segment.song + within);
  }

  async play() {
    if (this.playing || !this.frames) return;
    // Not before somebody wants to hear something: browsers refuse sound without a gesture.
    if (!this.context) this.#build();
    this.#start();
    this.#changed();
    await this.context.resume();
  }

  pause() {
    if (!this.playing) return;
    this.#at = this.position % this.frames;
    this.#stop();
    this.#changed();
  }

  seek(frame) {
    const place = Math.min(Math.max(Math.round(frame), 0), this.frames - 1);
    const playing = this.playing;
    this.#stop();
    this.#at = place;
    if (playing) this.#start();
    this.#changed();
  }

  // In frames; null and null: no loop. B before A: they change places.
  setLoop(first, last) {
    if (first === null) {
      this.loop = null;
    } else if (last === null) {
      this.loop = [first, null];
    } else {
      const [low, high] = first < last ? [first, last] : [last, first];
      const shortest = Math.round(SHORTEST_LOOP * this.rate);
      this.loop = [low, Math.min(Math.max(high, low + shortest), this.frames)];
    }
    // What is scheduled was for the old loop.
    const playing = this.playing;
    this.#at = this.position;
    const [from, to] = this.loop ?? [0, null];
    if (to !== null && (this.#at < from || this.#at > to)) this.#at = from;
    this.#stop();
    if (playing) this.#start();
    this.#changed();
  }

  setLevel(name, level) {
    this.tracks[name].level = level;
    this.#mix();
  }

  toggle(name, what) {
    this.tracks[name][what] = !this.tracks[name][what];
    this.#mix();
  }

  // How loud a track is heard.
  heard(name) {
    const alone = Object.values(this.tracks).some((track) => track.solo);
    const { level, muted, solo } = this.tracks[name];
    return muted || (alone && !solo) ? 0 : level;
  }

  #build() {
    // At the song's own rate every piece begins on a sample; the context resamples to the device.
    this.context = new AudioContext({ sampleRate: this.rate });
    for (const name of TRACKS) {
      const node = this.context.createGain();
      node.gain.value = this.heard(name) / this.scale;
      node.connect(this.context.destination);
      this.tracks[name].node = node;
    }
  }

  #mix() {
    for (const name of TRACKS) {
      const node = this.tracks[name].node;
      const level = this.heard(name) / this.scale;
      node?.gain.setTargetAtTime(level, this.context.currentTime, FADE_SECONDS);
    }
    this.#changed();
  }

  // A run is play from one place until something else is wanted: a bus for each track, which fades,
  // and what was put on the clock, each with its place on the clock and in the song, in frames.
  #start() {
    const now = this.context.currentTime;
    const buses = {};
    for (const name of TRACKS) {
      buses[name] = this.context.createGain();
      buses[name].gain.setValueAtTime(0, now);
      buses[name].gain.linearRampToValueAtTime(1, now + 2 * FADE_SECONDS);
      buses[name].connect(this.tracks[name].node);
    }
    const clock = Math.ceil((now + FADE_SECONDS) * this.rate);
    const fetching = new AbortController();
    this.#run = { buses, clock, song: this.#at, segments: [], ended: false, timer: 0, fetching };
    this.#pump(this.#run);
  }

  #stop() {
    const run = this.#run;
    if (!run) return;
    this.#run = null;
    clearTimeout(run.timer);
    run.fetching.abort();
    const now = this.context.currentTime;
    for (const bus of Object.values(run.buses)) {
      bus.gain.cancelScheduledValues(now);
      bus.gain.setTargetAtTime(0, now, FADE_SECONDS / 3);
      setTimeout(() => bus.disconnect(), 100);
    }
  }

  async #pump(run) {
    try {
      while (run === this.#run && this.#wants(run)) await this.#schedule(run);
    } catch (error) {
      if (run !== this.#run) return; // It was given up on purpose.
      this.pause();
      this.dispatchEvent(new CustomEvent("trouble", { detail: error }));
      return;
    }
    if (run !== this.#run) return;
    if (run.ended && this.context.currentTime * this.rate >= run.clock) {
      this.#stop();
      this.#at = 0;
      this.#changed();
      return;
    }
    run.timer = setTimeout(() => this.#pump(run), 1000 * PUMP_SECONDS);
  }

  #wants(run) {
    const ahead = run.clock / this.rate - this.context.currentTime;
    return !run.ended && ahead < AHEAD_SECONDS;
  }

  async #schedule(run) {
    const [first, last] = this.loop ?? [0, null];
    const looped = last !== null && run.song <= last;
    const end = looped ? last : this.frames;
    if (run.song >= end) {
      if (looped) run.song = first;
      else run.ended = true;
      return;
    }
    const size = Math.round(PIECE_SECONDS * this.rate);
    const index = Math.floor(run.song / size);
    const piece = await this.#piece(index, size, run.fetching.signal);
    if (run !== this.#run) return;
    const offset = run.song - index * size;
    const count = Math.min(piece.frames - offset, end - run.song);
    // A piece that came late begins now, both tracks together.
    const soonest = Math.ceil((this.context.currentTime + FADE_SECONDS) * this.rate);
    run.clock = Math.max(run.clock, soonest);
    for (const name of TRACKS) {
      const source = this.context.createBufferSource();
      source.buffer = piece[name];
      source.connect(run.buses[name]);
      source.start(run.clock / this.rate, offset / this.rate, count / this.rate);
    }
    run.segments.push({ clock: run.clock, song: run.song, count });
    if (run.segments.length > 8) run.segments.shift();
    run.clock += count;
    run.song += count;
  }

  async #piece(index, size, signal) {
    const known = this.#pieces.get(index);
    if (known) return known;
    const first = index * size;
    const end = Math.min(first + size, this.frames);
    const bytes = await range(this.#url, first * BYTES_PER_FRAME, end * BYTES_PER_FRAME, signal);
    const piece = this.#unpacked(new Int16Array(bytes), end - first);
    this.#pieces.set(index, piece);
    if (this.#pieces.size > KEPT_PIECES) this.#pieces.delete(this.#pieces.keys().next().value);
    return piece;
  }

  #unpacked(samples, frames) {
    const piece = { frames };
    TRACKS.forEach((name, track) => {
      piece[name] = new AudioBuffer({ length: frames, numberOfChannels: 2, sampleRate: this.rate });
      for (const side of [0, 1]) {
        const channel = piece[name].getChannelData(side);
        for (let n = 0, from = 2 * track + side; n < frames; n++, from += 4) {
          channel[n] = samples[from] / 32768;
        }
      }
    });
    return piece;
  }

  #changed() {
    this.dispatchEvent(new Event("change"));
  }
}
