// The song's spectrograms: a picture by the server, for the page's theme and width.

import { $ } from "./dom.js";

const DARK = matchMedia("(prefers-color-scheme: dark)");
const NARROW = matchMedia("(max-width: 560px)"); // As in style.css.

export class Figure {
  #path = null;

  constructor() {
    $("picture").addEventListener("load", () => this.#tell("brighter is louder", false));
    $("picture").addEventListener("error", () => this.#tell("could not be drawn", false));
    for (const query of [DARK, NARROW]) query.addEventListener("change", () => this.#draw());
  }

  open(path) {
    this.#path = path;
    this.#draw();
  }

  close() {
    this.#path = null;
  }

  #draw() {
    if (!this.#path) return;
    this.#tell("being drawn …", true);
    const [theme, size] = [DARK.matches ? "dark" : "light", NARROW.matches ? "narrow" : "wide"];
    $("picture").src = `${this.#path}?theme=${theme}&size=${size}`;
  }

  #tell(text, drawing) {
    $("figure").classList.toggle("drawing", drawing);
    $("figure-told").textContent = text;
  }
}
