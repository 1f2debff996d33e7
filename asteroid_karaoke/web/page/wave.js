// The waveform: the voice above the middle line, the karaoke version below it. A click goes there,
// a drag loops. Positions are shares of the song, from 0 to 1.

const BAR = 3;
const GAP = 1;
const DRAG_PIXELS = 6;

export class Wave extends EventTarget {
  state = { position: 0, loop: null, voice: 1, karaoke: 1 };
  #peaks = null;
  #drag = null;

  constructor(element) {
    super();
    this.element = element;
    this.canvas = element.querySelector("canvas");
    new ResizeObserver(() => this.draw()).observe(element);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
    element.addEventListener("pointerdown", (event) => this.#press(event));
    element.addEventListener("pointermove", (event) => this.#move(event));
    element.addEventListener("pointerup", (event) => this.#release(event));
    element.addEventListener("pointercancel", () => this.#giveUp());
  }

  set peaks(peaks) {
    // A quiet song is drawn as large as a loud one, the two tracks on one scale.
    const loudest = Math.max(0.01, ...(peaks ? [...peaks.voice, ...peaks.karaoke] : []));
    const scaled = (list) => list.map((peak) => peak / loudest);
    this.#peaks = peaks && { voice: scaled(peaks.voice), karaoke: scaled(peaks.karaoke) };
    this.draw();
  }

  // state: position, loop ([first, last] or null), and how loud each track is heard.
  show(state) {
    Object.assign(this.state, state);
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.element;
    if (!width) return;
    const dense = window.devicePixelRatio || 1;
    const [wide, high] = [Math.round(width * dense), Math.round(height * dense)];
    if (this.canvas.width !== wide || this.canvas.height !== high) {
      Object.assign(this.canvas, { width: wide, height: high });
    }
    const ink = this.canvas.getContext("2d");
    ink.setTransform(dense, 0, 0, dense, 0, 0);
    ink.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.element);
    const colour = (name) => style.getPropertyValue(name).trim();
    const loop = this.#drag?.loop ?? this.state.loop;
    if (loop) this.#shade(ink, loop, width, height, colour("--wash"), colour("--voice"));
    this.#bars(ink, width, height / 2, -1, "voice", colour("--voice"));
    this.#bars(ink, width, height / 2, 1, "karaoke", colour("--band"));
    ink.globalAlpha = 1;
    ink.fillStyle = colour("--ink");
    ink.fillRect(Math.min(this.state.position * width, width - 2), 0, 2, height);
  }

  #shade(ink, [first, last], width, height, wash, edge) {
    const right = last ?? first;
    ink.fillStyle = wash;
    ink.fillRect(first * width, 0, (right - first) * width, height);
    ink.fillStyle = edge;
    ink.fillRect(first * width, 0, 1, height);
    if (last !== null) ink.fillRect(right * width - 1, 0, 1, height);
  }

  // Bars from the middle upwards (-1) or downwards (1); what is to come is paler.
  #bars(ink, width, middle, direction, name, colour) {
    const count = Math.max(1, Math.floor(width / (BAR + GAP)));
    const loud = 0.3 + 0.7 * Math.min(1, this.state[name]);
    ink.fillStyle = colour;
    for (let bar = 0; bar < count; bar++) {
      const size = Math.max(1, this.#peak(name, bar / count, (bar + 1) / count) * (middle - 4));
      const played = (bar + 0.5) / count <= this.state.position;
      ink.globalAlpha = loud * (played ? 1 : 0.55);
      ink.beginPath();
      const top = direction < 0 ? middle - 1 - size : middle + 1;
      ink.roundRect(bar * (BAR + GAP), top, BAR, size, Math.min(1.5, size / 2));
      ink.fill();
    }
  }

  // On a curve, so that quiet places can be seen.
  #peak(name, from, to) {
    const peaks = this.#peaks?.[name];
    if (!peaks) return 0;
    const part = peaks.slice(Math.floor(from * peaks.length), Math.ceil(to * peaks.length));
    return Math.min(1, Math.max(0, ...part)) ** 0.7;
  }

  #share(event) {
    const box = this.element.getBoundingClientRect();
    return Math.min(Math.max((event.clientX - box.left) / box.width, 0), 1);
  }

  #press(event) {
    if (event.button) return;
    this.element.setPointerCapture(event.pointerId);
    this.#drag = { from: this.#share(event), x: event.clientX, loop: null };
  }

  #move(event) {
    const drag = this.#drag;
    if (!drag || (!drag.loop && Math.abs(event.clientX - drag.x) < DRAG_PIXELS)) return;
    drag.loop = [drag.from, this.#share(event)].sort((a, b) => a - b);
    this.draw();
  }

  #release(event) {
    const drag = this.#drag;
    this.#giveUp();
    if (!drag) return;
    const detail = drag.loop ?? this.#share(event);
    this.dispatchEvent(new CustomEvent(drag.loop ? "loop" : "seek", { detail }));
  }

  #giveUp() {
    this.#drag = null;
    this.draw();
  }
}
