// Keeps the page current without reloading it. Without this script everything works by links and forms.
"use strict";

const main = document.getElementById("main");
const away = document.getElementById("away");
const clock = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]")) {
    time.textContent = clock.format(new Date(time.dateTime));
  }
}

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
    const heir = wanted.find((item) => item.dataset.key === held.dataset.key) ?? main;
    heir.tabIndex = -1;
    heir.focus({ preventScroll: true });
  }
}

async function refresh() {
  const answer = await fetch(main.dataset.live, { headers: { Accept: "text/html" }, redirect: "error" });
  if (answer.status === 401) return location.assign(main.dataset.live);
  if (!answer.ok) return;
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  localTimes(fresh);
  for (const part of document.querySelectorAll("[data-part]")) {
    const other = fresh.querySelector(`[data-part="${part.dataset.part}"]`);
    if (other && other.innerHTML !== part.innerHTML) part.replaceChildren(...document.importNode(other, true).childNodes);
  }
  for (const list of document.querySelectorAll("[data-list]")) {
    const other = fresh.querySelector(`[data-list="${list.dataset.list}"]`);
    if (other) merge(list, other);
  }
  document.title = fresh.title;
  countDown();
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
    away.hidden = true;
  } catch {
    // the stream's return brings news
    away.hidden = false;
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

localTimes(document);
countDown();
setInterval(countDown, 1000);
addEventListener("pageshow", (event) => event.persisted && location.reload());
news();
navigator.locks.request("news", () => {
  listen();
  return new Promise(() => {});
});
