// Keeps a page of the operators current without taking anything away from whoever reads it: what came anew is blended into what is
// there, so that what is typed, opened, focused and scrolled to stays. Without this script a page is complete and merely grows old.

const main = document.querySelector("main[data-live]");
const minute = 60_000;

/* Whether the server wants a detail to be open, as it said last; when it says the same again, the reader's will counts. */
const wasOpen = new WeakMap();

function note(root) {
  for (const element of root.querySelectorAll("details")) if (!wasOpen.has(element)) wasOpen.set(element, element.open);
}

/* Rows are known by where they lead, sections by their heading, forms by what they do: what moves takes what is typed and focused with it,
   and nothing that is typed for one thing ends up at another. */
function keyOf(node) {
  if (node.nodeType !== Node.ELEMENT_NODE) return "";
  if (node.dataset?.key || node.id) return node.dataset.key || node.id;
  if (node.localName === "tr") return node.querySelector("a")?.getAttribute("href") ?? "";
  if (node.localName === "section") return node.querySelector(":scope > h2")?.textContent ?? "";
  if (node.localName === "form") return node.getAttribute("action") ?? "";
  return "";
}

const isMade = (node) => node.nodeType === Node.ELEMENT_NODE && "made" in node.dataset;

function blend(here, fresh) {
  if (here.nodeType !== Node.ELEMENT_NODE) {
    if (here.data !== fresh.data) here.data = fresh.data;
    return;
  }
  const isOwn = (name) => name === "open" || name === "data-copy";
  for (const { name } of [...here.attributes]) if (!isOwn(name) && !fresh.hasAttribute(name)) here.removeAttribute(name);
  for (const { name, value } of fresh.attributes) if (!isOwn(name) && here.getAttribute(name) !== value) here.setAttribute(name, value);
  if (here.localName === "details" && wasOpen.get(here) !== fresh.open) {
    here.open = fresh.open;
    wasOpen.set(here, fresh.open);
  }
  blendChildren(here, fresh);
}

/* Each wanted node gets its old one, what is not wanted goes first, and only what changed its order is moved: a move costs the focus. */
function blendChildren(here, fresh) {
  const left = [...here.childNodes].filter((node) => !isMade(node)).map((node) => ({ node, key: keyOf(node) }));
  const pairs = [];
  for (const wanted of [...fresh.childNodes]) {
    const key = keyOf(wanted);
    const alike = (old) => old.node.nodeType === wanted.nodeType && old.node.nodeName === wanted.nodeName && old.key === key;
    const at = left.length && alike(left[0]) ? 0 : left.findIndex((old) => alike(old) && old.node.className === wanted.className);
    pairs.push([wanted, at < 0 ? null : left.splice(at, 1)[0].node]);
  }
  for (const { node } of left) node.remove();
  let old = here.firstChild;
  for (const [wanted, match] of pairs) {
    while (old && isMade(old)) old = old.nextSibling;
    if (!match) here.insertBefore(document.importNode(wanted, true), old);
    else {
      if (match === old) old = old.nextSibling; else here.insertBefore(match, old);
      blend(match, wanted);
    }
  }
}

/* What was chosen by hand: when the page comes with another choice, browsers take that over. */
function chosen() {
  const boxes = [...main.querySelectorAll("input:checked")].filter((box) => !box.defaultChecked);
  const lists = [...main.querySelectorAll("select")].filter((list) => list.selectedOptions[0]?.defaultSelected === false).map((list) => [list, list.value]);
  return () => {
    for (const box of boxes) if (box.isConnected) box.checked = true;
    for (const [list, value] of lists) if (list.isConnected) list.value = value;
  };
}

/* Whoever does not answer within this time is as good as away. */
const patience = 30_000;

let lastFetch = Date.now(), nAsked = 0;

const said = document.querySelector(".no-news");
const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });

/* Old data must look old, and say why: here, and what follows as a link. */
function growOld(text, ...rest) {
  document.body.classList.add("stale");
  // Said anew it would be read out anew.
  if (said.firstChild?.data === text) return;
  said.replaceChildren(text, ...rest);
}

/* The way back in, and from there to this page. */
function signIn(address) {
  const link = document.createElement("a");
  link.href = address;
  link.textContent = "Sign in again";
  growOld("You are signed out. ", link);
}

/* That the server sends whoever asks to the form for signing in. */
class SignedOut extends Error {}

/* Fetches a page and blends its main part into this one; of several that are under way the last one counts. */
async function bring(url) {
  const mine = ++nAsked;
  const answer = await fetch(url, { headers: { accept: "text/html" }, signal: AbortSignal.timeout(patience) });
  if (answer.redirected && new URL(answer.url).pathname === main.dataset.signIn) throw new SignedOut(answer.url);
  if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const fresh = page.querySelector("main[data-live]");
  if (!fresh) throw new Error("another page came");
  if (mine !== nAsked) return false;
  const focused = document.activeElement, choose = chosen();
  blend(main, fresh);
  choose();
  // A row that was moved lost it.
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
  document.title = page.title;
  document.body.className = page.body.className;
  said.replaceChildren();
  lastFetch = Date.now();
  note(main);
  main.dispatchEvent(new CustomEvent("vigilmon:fresh", { bubbles: true }));
  return true;
}

/* The visit that is under way, and whether a refresh waits for its end: its answer would else be thrown away for a newer one of the view before. */
let visiting = null, isOwed = false;

/* Shows another view of the same page; where that does not work, the browser goes there. */
async function visit(url) {
  const mine = visiting = {};
  try {
    if (await bring(url)) history.replaceState(null, "", url);
  } catch {
    if (visiting === mine) location.assign(url);
  }
  if (visiting !== mine) return;
  visiting = null;
  if (isOwed) refreshSoon();
  isOwed = false;
}

async function refresh() {
  if (document.hidden) return;
  if (visiting) {
    isOwed = true;
    return;
  }
  try {
    await bring(location.href);
  } catch (error) {
    if (error instanceof SignedOut) signIn(error.message);
    // Also when it is the way to us that is broken.
    else if (Date.now() - lastFetch > 2 * minute) growOld(`No news since ${clock.format(lastFetch)}.`);
  }
}

/* However much happens, a page fetches itself no more often than this. */
const rest = 2000;
let due = 0;

function refreshSoon() {
  if (!due) due = setTimeout(() => { due = 0; refresh(); }, Math.max(0, rest - (Date.now() - lastFetch)));
}

/* A page of one monitor also shows checks that changed nothing. */
function concerns(news) {
  const mine = main.querySelector("[data-watch]")?.dataset.watch;
  if (news.revision === main.dataset.live) return false;
  if (news.everything || !mine) return news.everything || news.changed.length > 0;
  return news.checked_many || news.changed.includes(mine) || news.checked.includes(mine);
}

let source = null, again = 0;

/* Listens while the page is seen: browsers open six connections to a site, and hidden tabs must not hold them. Where there is no place
   or no stream, the page asks from time to time, as it does anyway. */
function listen() {
  clearTimeout(again);
  if (document.hidden || source || !window.EventSource) return;
  source = new EventSource(main.dataset.events);
  let isFirst = true;
  source.addEventListener("news", (event) => {
    const news = JSON.parse(event.data);
    // What happened before the stream was there is not told again.
    if (isFirst ? news.revision !== main.dataset.live : concerns(news)) refreshSoon();
    isFirst = false;
  });
  source.addEventListener("open", () => { isFirst = true; });
  source.addEventListener("error", () => {
    if (source?.readyState !== EventSource.CLOSED) return;
    source = null;
    again = setTimeout(listen, minute);
  });
}

function hush() {
  source?.close();
  source = null;
}

if (main) {
  note(main);
  setInterval(refresh, Number(main.dataset.refresh) * 1000);
  // Other scripts ask for another view.
  document.addEventListener("vigilmon:visit", (event) => visit(event.detail));
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return hush();
    if (Date.now() - lastFetch > rest) refresh();
    listen();
  });
  window.addEventListener("pagehide", hush);
  window.addEventListener("pageshow", listen);
  listen();
}
