// The overview of all monitors: searches while one types, and takes keys. The form and the links work without it.

const form = document.getElementById("filter");
const rows = () => [...document.querySelectorAll("table.monitors td:nth-child(2) > a")].filter((link) => link.checkVisibility?.() ?? link.offsetParent);

function address() {
  const url = new URL(form.action);
  for (const [name, value] of new FormData(form)) if (value) url.searchParams.append(name, value);
  return url.href;
}

/* Until what was searched for is there, the rows are those of before, and Enter waits. */
let waiting = 0, isUnderWay = false, wantsFirst = false;

function visit() {
  clearTimeout(waiting);
  waiting = 0;
  isUnderWay = true;
  document.dispatchEvent(new CustomEvent("vigilmon:visit", { detail: address() }));
}

function search(soon) {
  clearTimeout(waiting);
  wantsFirst = false;
  waiting = setTimeout(visit, soon ? 0 : 180);
}

function toFirst() {
  if (waiting) visit();
  if (isUnderWay) wantsFirst = true;
  else move(1);
}

function arrived() {
  document.body.classList.add("has-keys");
  isUnderWay = false;
  if (wantsFirst && document.activeElement === form.q) move(1);
  wantsFirst = false;
}

function move(step) {
  const links = rows();
  const at = links.indexOf(document.activeElement);
  const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(Math.max(at + step, 0), links.length - 1)];
  next?.focus();
  next?.closest("tr").scrollIntoView({ block: "nearest" });
}

function inField(event, field) {
  if (event.key === "Escape") {
    if (field === form.q && field.value) {
      field.value = "";
      search(true);
      event.preventDefault();
    } else field.blur();
  } else if (event.key === "Enter" && field === form.q) {
    event.preventDefault();
    toFirst();
  }
}

const keys = {
  "/": () => { form.q.focus(); form.q.select(); },
  j: () => move(1),
  k: () => move(-1),
  Escape: () => document.activeElement?.blur(),
};

if (form) {
  document.body.classList.add("has-keys");
  document.addEventListener("vigilmon:fresh", arrived);
  form.addEventListener("input", (event) => search(event.target !== form.q));
  form.addEventListener("submit", (event) => { event.preventDefault(); search(true); });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    const field = event.target.closest?.("input, select, textarea");
    if (field) return inField(event, field);
    const act = keys[event.key];
    if (!act) return;
    event.preventDefault();
    act();
  });
}
