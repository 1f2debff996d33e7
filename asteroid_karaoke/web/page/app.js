// The way of a song through the page: start, work, player. Which song it is stands in the address
// behind the #, which no server ever sees; so a reload, or a bookmark, finds the song again.

import { Trouble, ask, upload } from "./api.js";
import { Deck } from "./deck.js";
import { $ } from "./dom.js";
import { clock, megabytes, roughly } from "./words.js";

const POLL = 500; // ms

let about = null;
let deck = null;
let arriving = null; // AbortController of an upload.
let shown = 0; // Counts views, so that what belongs to an old one knows it.

// For tests, which measure what is heard.
export const player = () => deck.player;

function view(name, title) {
  for (const id of ["start", "work", "player"]) $(id).hidden = id !== name;
  $("another").hidden = name !== "player";
  document.title = title ? `${title} · Karaoke` : "Karaoke";
  document.querySelector(`#${name} h1`).focus({ preventScroll: true });
  shown += 1;
  return shown;
}

function start(trouble = "") {
  arriving?.abort();
  deck?.close();
  view("start");
  $("trouble").textContent = trouble;
}

function songInAddress() {
  return new URLSearchParams(location.hash.slice(1)).get("song");
}

function remember(id) {
  history.replaceState(null, "", id ? `#song=${id}` : location.pathname);
}

// Follow a song from its queue to its player.
async function follow(id) {
  deck.close();
  const mine = view("work");
  working({ what: "Looking for the song" });
  while (mine === shown) {
    let song;
    try {
      song = await ask(`/api/songs/${encodeURIComponent(id)}`);
    } catch (error) {
      if (mine !== shown) return;
      if (error.status) return leave(error.message);
      // A server that is busy may not answer for a while: the song is not lost.
      working({ what: error.message });
      await wait(4 * POLL);
      continue;
    }
    if (mine !== shown) return;
    if (song.state === "failed") return leave(song.error);
    if (song.state === "ready") {
      view("player", song.name);
      await deck.open(song);
      return;
    }
    tell(song);
    await wait(POLL);
  }
}

function leave(trouble) {
  remember(null);
  start(trouble);
}

function wait(ms) {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function tell(song) {
  const share = song.total ? song.done / song.total : 0;
  const words = {
    queued: `Number ${song.ahead + 1} in the queue`,
    fetching: "Fetching the song",
    separating: "Taking the voice out",
    preparing: "Preparing the player",
  };
  const separating = song.state === "separating" && song.total > 0;
  working({
    name: song.name,
    what: words[song.state],
    share: separating ? share : null,
    done: separating ? `${clock(song.done)} of ${clock(song.total)}` : "",
    left: separating && song.left !== undefined ? roughly(song.left) : "",
  });
  document.title = `${separating ? `${Math.floor(100 * share)} % · ` : ""}${song.name} · Karaoke`;
}

// share: from 0 to 1, or null where nobody knows.
function working({ name, what, share = null, done = "", left = "" }) {
  if (name !== undefined) $("work-name").textContent = name;
  if ($("work-what").textContent !== what) $("work-what").textContent = what;
  $("work-share").textContent = share === null ? "" : `${Math.floor(100 * share)} %`;
  $("work-done").textContent = done;
  $("work-left").textContent = left;
  $("bar").classList.toggle("unknown", share === null);
  $("bar").firstElementChild.style.width = share === null ? "" : `${100 * share}%`;
  if (share === null) $("bar").removeAttribute("aria-valuenow");
  else $("bar").setAttribute("aria-valuenow", Math.floor(100 * share));
}

async function send(file) {
  deck.close();
  remember(null);
  if (file.size > about.max_bytes) {
    const most = `${megabytes(about.max_bytes)} is the most that this server takes`;
    return start(`${file.name} has ${megabytes(file.size)}: ${most}.`);
  }
  const mine = view("work", file.name);
  arriving = new AbortController();
  working({ name: file.name, what: "Uploading", share: 0 });
  const progress = (loaded, total) => {
    if (mine !== shown) return;
    const what = loaded < total ? "Uploading" : "Looking at the song";
    const done = `${megabytes(loaded)} of ${megabytes(total)}`;
    working({ what, share: loaded / total, done });
  };
  await arrive(mine, () => upload(file, progress, arriving.signal));
}

async function fetchAddress(address) {
  const mine = view("work");
  arriving = new AbortController();
  working({ name: address, what: "Asking for the song" });
  const { signal } = arriving;
  await arrive(mine, () => ask("/api/addresses", { method: "POST", body: { address }, signal }));
}

async function arrive(mine, request) {
  try {
    const song = await request();
    if (mine !== shown) return;
    arriving = null;
    remember(song.id);
    await follow(song.id);
  } catch (error) {
    if (mine !== shown) return;
    if (!(error instanceof Trouble) && error.name !== "AbortError") throw error;
    leave(error instanceof Trouble ? error.message : "");
  }
}

async function forget() {
  const id = songInAddress();
  arriving?.abort();
  arriving = null;
  leave("");
  if (!id) return;
  try {
    await ask(`/api/songs/${id}`, { method: "DELETE" });
  } catch (error) {
    // It is gone already: what was wanted.
    if (error.status !== 404) start(error.message);
  }
}

function wireDrop() {
  const drop = $("drop");
  const files = (event) => event.dataTransfer?.types.includes("Files");
  // Anywhere on the page: a song that misses the frame must not replace the page.
  for (const name of ["dragenter", "dragover"]) {
    addEventListener(name, (event) => {
      if (!files(event)) return;
      event.preventDefault();
      drop.classList.add("over");
    });
  }
  addEventListener("dragleave", (event) => {
    if (!event.relatedTarget) drop.classList.remove("over");
  });
  addEventListener("drop", (event) => {
    if (!files(event)) return;
    event.preventDefault();
    drop.classList.remove("over");
    const [item] = event.dataTransfer.items;
    const [file] = event.dataTransfer.files;
    if (!file || !$("work").hidden) return;
    // A folder can not be read as a file can.
    const folder = item.webkitGetAsEntry()?.isDirectory;
    if (folder) $("trouble").textContent = `${file.name} is a folder: drop a song of it.`;
    else send(file);
  });
  $("file").addEventListener("change", () => {
    const [file] = $("file").files;
    $("file").value = "";
    if (file) send(file);
  });
}

function wire() {
  wireDrop();
  $("fetch").hidden = !about.addresses;
  $("fetch").addEventListener("submit", (event) => {
    event.preventDefault();
    const address = $("address").value.trim();
    if (address) fetchAddress(address);
    else $("address").focus();
  });
  $("taken").textContent =
    `Audio or video of almost any kind, up to ${megabytes(about.max_bytes)} and ` +
    `${clock(about.max_seconds)} long. It stays on the machine that serves this page, ` +
    `and is deleted ${about.keep_seconds === 3600 ? "an hour" : `${about.keep_seconds} s`} ` +
    "after it is done.";
  $("cancel").addEventListener("click", forget);
  $("delete").addEventListener("click", forget);
  addEventListener("hashchange", route);
}

function route() {
  const id = songInAddress();
  if (id) follow(id);
  else start();
}

async function begin() {
  try {
    about = await ask("/api/about");
  } catch (error) {
    return start(error.message);
  }
  deck = new Deck(about);
  wire();
  route();
}

begin();
