// Keeps the page current without reloading it. Without this script everything works by links and forms.
"use strict";

const main = document.getElementById("main");
const away = document.getElementById("away");
const REST_MS = 1000;
const PATIENCE_MS = 5000;
const RETRY_MS = 5000;

function left(seconds) {
  const minutes = Math.floor(seconds / 60);
  const rest = seconds % 60;
  return minutes ? `${minutes} min ${String(rest).padStart(2, "0")} s` : `${rest} s`;
}

function countDown() {
  for (const shown of document.querySelectorAll("[data-expires]")) {
    const seconds = Math.max(0, Math.floor(Number(shown.dataset.expires) - Date.now() / 1000));
    if (shown.tagName === "PROGRESS") shown.value = seconds;
    else if (shown.textContent !== left(seconds)) shown.textContent = left(seconds);
    shown.closest(".left").classList.toggle("soon", seconds < 60);
  }
}

// A button that has just come, or was moved, takes no click for a second: whoever aimed did not aim at it.
const resting = new WeakMap();
function rest(root) {
  for (const button of root.querySelectorAll("button")) {
    button.setAttribute("aria-disabled", "true");
    clearTimeout(resting.get(button));
    resting.set(button, setTimeout(() => button.removeAttribute("aria-disabled"), REST_MS));
  }
}

function refuse(event) {
  // by keys nobody hits what slid under their hand
  if (event.detail && event.target.closest("[aria-disabled]")) event.preventDefault();
}

// What was answered or lapsed stays in its place, greyed and as high as it was, so that nothing below it moves.
function settle(card, page) {
  const held = card.contains(document.activeElement);
  const state = page.querySelector(`[data-list="rows"] [data-key="${card.dataset.key}"] .state`);
  card.style.height = `${card.getBoundingClientRect().height}px`;
  card.dataset.state = "over";
  card.classList.add("over");
  card.querySelector(".left").replaceChildren(state ? document.importNode(state, true) : "Waits no more");
  if (held) lead(card);
}

function lead(heir) {
  heir.tabIndex = -1;
  heir.focus({ preventScroll: true });
}

// Cards never change places: what is new comes last.
function addCards(list, fresh, page) {
  const wanted = new Map([...fresh.children].map((item) => [item.dataset.key, item]));
  for (const card of list.children) {
    const other = wanted.get(card.dataset.key);
    wanted.delete(card.dataset.key);
    if (!other && card.dataset.state !== "over") settle(card, page);
    else if (other && other.dataset.state !== card.dataset.state) {
      const made = document.importNode(other, true);
      const held = card.contains(document.activeElement);
      card.replaceWith(made);
      rest(made);
      if (held) lead(made);
    }
  }
  for (const item of wanted.values()) {
    const made = document.importNode(item, true);
    made.classList.add("new");
    list.append(made);
    rest(made);
  }
}

function places() {
  return new Map([...document.querySelectorAll(".card")].map((card) => [card, card.getBoundingClientRect().top + scrollY]));
}

// What has not changed stays as it is: a half-typed name, an open fold and the focus survive.
function merge(list, fresh) {
  const held = list.contains(document.activeElement) ? document.activeElement.closest("[data-key]") : null;
  const before = new Map([...list.children].map((item) => [item.dataset.key, item]));
  const wanted = [...fresh.children].map((item) => {
    const kept = before.get(item.dataset.key);
    if (kept && kept.dataset.state === item.dataset.state) return kept;
    const made = document.importNode(item, true);
    if (!kept) made.classList.add("new");
    return made;
  });
  for (const item of before.values()) if (!wanted.includes(item)) item.remove();
  wanted.forEach((item, place) => {
    if (list.children[place] !== item) list.insertBefore(item, list.children[place] ?? null);
  });
  // what had the focus was answered elsewhere or lapsed: whoever goes by keys is led to what stands there now
  if (held && !held.isConnected) {
    lead(wanted.find((item) => item.dataset.key === held.dataset.key) ?? main);
  }
}

async function refresh() {
  const answer = await fetch(main.dataset.live, { headers: { Accept: "text/html" }, redirect: "error", signal: AbortSignal.timeout(PATIENCE_MS) });
  if (answer.status === 401) return location.assign(main.dataset.live);
  if (!answer.ok) throw new Error(`an answer of ${answer.status}`);
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  if (!fresh.getElementById("main")) throw new Error("an answer without the page");
  const before = places();
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (!other || other.innerHTML === part.dataset.came) continue;
    part.dataset.came = other.innerHTML;
    part.replaceChildren(...document.importNode(other, true).childNodes);
    rest(part);
  }
  for (const list of document.querySelectorAll("[data-list]")) {
    const other = fresh.querySelector(`[data-list="${list.dataset.list}"]`);
    if (other) (list.dataset.list === "cards" ? addCards : merge)(list, other, fresh);
  }
  for (const [card, top] of places()) if (before.has(card) && before.get(card) !== top) rest(card);
  document.title = fresh.title;
  countDown();
}

// What may be old is said to be, and takes no answer: by no click, by no key. It is looked at again until it is not.
let retrying;
function doubt(old) {
  away.hidden = !old;
  if (old !== main.hasAttribute("data-old")) {
    main.toggleAttribute("data-old", old);
    if (!old) rest(main);
  }
  for (const button of main.querySelectorAll("button")) button.disabled = old;
  clearTimeout(retrying);
  if (old) retrying = setTimeout(news, RETRY_MS);
}

// One refresh at a time; news that comes meanwhile asks for one more.
let running = false;
let again = false;
async function news() {
  if (running) {
    again = true;
    return;
  }
  running = true;
  try {
    do {
      again = false;
      await refresh();
    } while (again);
    doubt(false);
  } catch {
    doubt(true);
  } finally {
    running = false;
  }
}

function listen() {
  const stream = new EventSource(main.dataset.events);
  stream.addEventListener("change", tell);
  stream.addEventListener("error", () => {
    tell();
    if (stream.readyState === EventSource.CLOSED) setTimeout(listen, 10_000);
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
}

// A browser opens six connections to one address at most: were each tab to hold one, the seventh would stay empty.
// So one tab listens for all; when it goes, another one takes over.
const tabs = new BroadcastChannel("news");
tabs.addEventListener("message", news);
function tell() {
  tabs.postMessage("news");
  news();
}

countDown();
rest(document);
document.addEventListener("click", refuse, true);
document.addEventListener("visibilitychange", () => {
  // nobody aims at a page that they do not see: the only time at which answered cards go
  if (document.hidden) for (const card of document.querySelectorAll(".card.over")) card.remove();
  rest(document);
});
setInterval(countDown, 1000);
addEventListener("pageshow", (event) => event.persisted && location.reload());
news();
navigator.locks.request("news", () => {
  listen();
  return new Promise(() => {});
});
