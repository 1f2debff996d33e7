// The few words for finding things on the page.

export const $ = (id) => document.getElementById(id);
export const all = (selector) => [...document.querySelectorAll(selector)];

export function press(selector, on) {
  document.querySelector(selector).setAttribute("aria-pressed", String(on));
}
