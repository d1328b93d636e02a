// Enhances a status page that is complete without it: times in the reader's zone and language, each day of a bar under the pointer and
// by the arrow keys, a page that renews itself and looks old when it cannot. Nothing is decided here.

const lang = document.documentElement.lang;
const main = document.querySelector("main");
const said = document.querySelector("body > [role=status]");
const moment = new Intl.DateTimeFormat(lang, { dateStyle: "medium", timeStyle: "short" });
const date = new Intl.DateTimeFormat(lang, { dateStyle: "full", timeZone: "UTC" });
const relative = new Intl.RelativeTimeFormat(lang, { style: "short" });
const share = new Intl.NumberFormat(lang, { style: "percent", minimumFractionDigits: 2 });
const unit = (name) => new Intl.NumberFormat(lang, { style: "unit", unit: name, unitDisplay: "short" });
const minutes = unit("minute"), hours = unit("hour");

function away(ms) {
  const s = Math.round(ms / 1000), steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
  const [name, length] = steps.find(([, length]) => Math.abs(s) >= length) ?? steps[3];
  return relative.format(Math.trunc(s / length), name);
}

function times() {
  for (const element of main.querySelectorAll("time")) {
    const text = element.dateTime, at = new Date(text);
    if (text.length === 10) {
      if (element.parentElement.matches(".date")) element.textContent = date.format(at);
    } else if ("ago" in element.dataset) {
      element.title = moment.format(at);
      element.textContent = away(at - Date.now());
    } else if (!element.title) {
      element.title = element.textContent;
      element.textContent = moment.format(at);
    }
  }
}

// Bars. What the server did not write of a day is that nothing happened.

const tip = document.createElement("div");
tip.className = "tip";
tip.hidden = true;
tip.setAttribute("aria-hidden", "true");
document.body.append(tip);

const span = (n) => (n < 60 ? minutes.format(n) : hours.format(Math.floor(n / 60)) + (n % 60 ? ` ${minutes.format(n % 60)}` : ""));

const dayOf = (bar, i) => new Date(Date.parse(bar.dataset.from) + i * 864e5);

function day(bar, i) {
  const [fine, unknown, paused, degraded, up, down, planned] = main.dataset.days.split("|");
  const at = dayOf(bar, i);
  const entry = bar.dataset.days.split(" ").map((text) => /^(\d+)(?:-(\d+))?([a-z])([\d.]*)$/.exec(text))
    .find((found) => found && +found[1] <= i && i <= +(found[2] ?? found[1]));
  const parts = [], [percent, minutesDown, minutesPlanned] = (entry?.[4] ?? "").split(".");
  if (!entry) parts.push(fine);
  else if (entry[3] === "u") parts.push(unknown);
  else if (entry[3] === "p") parts.push(paused);
  else {
    if (percent) parts.push(up.replace("{}", share.format(percent / 1e4)));
    if (entry[3] === "g") parts.push(degraded);
    if (minutesDown) parts.push(down.replace("{}", span(+minutesDown)));
    if (minutesPlanned) parts.push(planned.replace("{}", span(+minutesPlanned)));
  }
  return [date.format(at), parts.join(" · ")];
}

/* Says of which day a bar tells; what it says of it. */
function tell(bar, i) {
  i = Math.max(0, Math.min(+bar.getAttribute("aria-valuemax"), i));
  const [head, text] = day(bar, i);
  bar.setAttribute("aria-valuenow", i);
  bar.setAttribute("aria-valuetext", `${head}: ${text}`);
  return [head, text];
}

function show(bar, i) {
  const [head, text] = tell(bar, i), n = +bar.getAttribute("aria-valuemax") + 1, box = bar.getBoundingClientRect();
  i = current(bar);
  const bold = document.createElement("b");
  bold.textContent = head;
  tip.replaceChildren(bold, text);
  tip.hidden = false;
  told = bar;
  const x = box.left + (i + .5) * box.width / n, half = tip.offsetWidth / 2, room = document.documentElement.clientWidth;
  tip.style.left = `${Math.max(half + 4, Math.min(room - half - 4, x)) + scrollX}px`;
  tip.style.top = `${box.top + scrollY - tip.offsetHeight - 6}px`;
}

/* The bar of whose day the tip tells. */
let told = null;

function hide() {
  tip.hidden = true;
  told = null;
}

const current = (bar) => +bar.getAttribute("aria-valuenow");

/* All bars are one stop of the Tab key, or there would be as many as services: up and down lead from one to the other. */
const inSight = () => [...main.querySelectorAll("details[open] svg.days")];
const stopHere = () => main.querySelector('svg.days[tabindex="0"]');

function makeStop(bar) {
  const all = inSight(), one = all.includes(bar) ? bar : all[0];
  for (const each of main.querySelectorAll("svg.days")) each.setAttribute("tabindex", each === one ? 0 : -1);
}

function bars() {
  for (const bar of main.querySelectorAll("svg.days")) {
    const n = bar.viewBox.baseVal.width / 4, name = bar.closest("li").querySelector(".name").textContent;
    const attributes = { role: "slider", "aria-valuemin": 0, "aria-valuemax": n - 1, "aria-valuenow": n - 1,
      "aria-valuetext": bar.getAttribute("aria-label"), "aria-label": name };
    for (const [key, value] of Object.entries(attributes)) bar.setAttribute(key, value);
    bar.addEventListener("focus", () => {
      makeStop(bar);
      if (bar.matches(":focus-visible")) show(bar, current(bar));
    });
    // A tap shows the day of another bar before this one is left.
    bar.addEventListener("blur", () => { if (told === bar) hide(); });
    bar.addEventListener("keydown", (event) => {
      const to = { ArrowLeft: current(bar) - 1, ArrowRight: current(bar) + 1, PageDown: current(bar) - 7, PageUp: current(bar) + 7, Home: 0, End: n - 1 }[event.key];
      const step = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (event.key === "Escape") hide();
      if (to === undefined && step === undefined) return;
      event.preventDefault();
      if (to !== undefined) return show(bar, to);
      const all = inSight(), next = all[all.indexOf(bar) + step];
      if (!next) return;
      tell(next, current(bar));
      next.focus();
    });
  }
  makeStop();
}

// What is folded away cannot be stopped at.
main.addEventListener("toggle", () => makeStop(stopHere()), true);

// Bars come and go with each renewal, also below a pointer that rests, so that the page is asked where it is.

function point(event) {
  const bar = event.target.closest("svg.days");
  if (!bar) return told?.matches(":focus-visible") || hide();
  const box = bar.getBoundingClientRect();
  show(bar, Math.floor((event.clientX - box.left) / box.width * (+bar.getAttribute("aria-valuemax") + 1)));
}

document.addEventListener("pointermove", point);
// A finger does not move before it rests. What it pointed at stays until the next tap; a page that is pushed was not tapped.
document.addEventListener("pointerdown", point);
document.addEventListener("pointercancel", hide);
document.documentElement.addEventListener("pointerleave", (event) => { if (event.pointerType !== "touch") hide(); });

// Renewal. What the reader folded, unfolded, points at or stands on stays as it is.

/* Where something is, by the names of what it is in: numbers change when a group or an incident comes, goes or moves. */
function place(element) {
  const names = [element.localName, element.getAttribute("href") ?? element.getAttribute("class") ?? ""];
  for (let box = element; box !== main; box = box.parentElement) {
    if (box.matches("details.group")) names.push(box.querySelector("h2").textContent);
    else if (box.matches("ul.services > li")) names.push(box.querySelector(".name").textContent);
    else if (box.matches("article")) names.push(box.querySelector("h2, h3").textContent, box.querySelector("time")?.dateTime);
  }
  return names.join("\n");
}

/* By their places; of several at one place, which of them. */
function placed(selector) {
  const all = new Map();
  for (const element of main.querySelectorAll(selector)) {
    const key = place(element);
    let n = 0;
    while (all.has(`${key}\n${n}`)) n++;
    all.set(`${key}\n${n}`, element);
  }
  return all;
}

const placeOf = (selector, wanted) => [...placed(selector)].find(([, element]) => element === wanted)?.[0];

/* A pointer that rests on a day, and a day that was reached by keys, would else be lost with the bar they are on. */
function keepDay() {
  const bar = told ?? document.activeElement?.closest("svg.days");
  if (!bar) return () => {};
  const [key, date, isTold] = [placeOf("svg.days", bar), dayOf(bar, current(bar)), bar === told];
  hide();
  return () => {
    const fresh = placed("svg.days").get(key);
    if (!fresh) return;
    // The bar may have moved on by a day since.
    const i = Math.round((date - dayOf(fresh, 0)) / 864e5);
    if (isTold) show(fresh, i); else tell(fresh, i);
  };
}

const stops = "a, summary, [tabindex]";
let wasOpen = new WeakMap(), renewedAt = performance.now();

function enhance() {
  wasOpen = new WeakMap([...main.querySelectorAll("details")].map((fold) => [fold, fold.open]));
  times();
  bars();
}

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" } });
    if (!answer.ok || answer.redirected) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.querySelector("main.status");
    if (!fresh) throw new Error("another page came");
    const before = main.querySelector(".verdict").textContent, turned = [...placed("details")].filter(([, fold]) => fold.open !== wasOpen.get(fold)).map(([key, fold]) => [key, fold.open]);
    const stop = placeOf(stops, document.activeElement), keep = keepDay(), tabbed = placeOf("svg.days", stopHere());
    main.replaceChildren(...fresh.childNodes);
    Object.assign(main.dataset, { ...fresh.dataset });
    document.title = page.title;
    document.body.className = page.body.className;
    renewedAt = performance.now();
    enhance();
    const folds = placed("details");
    for (const [key, isOpen] of turned) if (folds.has(key)) folds.get(key).open = isOpen;
    makeStop(placed("svg.days").get(tabbed));
    if (stop) placed(stops).get(stop)?.focus({ preventScroll: true });
    keep();
    const after = main.querySelector(".verdict").textContent;
    if (before !== after) said.textContent = after;
  } catch {
    // Looked after below: old data must look old, also when it is the way to us that is broken.
  }
}

function age() {
  times();
  if (performance.now() - renewedAt < (main.dataset.fresh ?? 120) * 1000) return;
  document.body.classList.add("stale");
  main.querySelector(".not-renewed").hidden = false;
}

enhance();
setInterval(age, 10e3);
setInterval(renew, main.dataset.refresh * 1000);
document.addEventListener("visibilitychange", renew);
