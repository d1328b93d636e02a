// Enhances pages that are complete without it: relative times stay current, times are shown in the reader's zone, and what is meant to
// be copied has a button. Nothing is decided here.

const second = 1000, minute = 60 * second, hour = 60 * minute, day = 24 * hour;

function span(ms) {
  if (ms < minute) return `${Math.floor(ms / second)} s`;
  if (ms < hour) return `${Math.floor(ms / minute)} min`;
  if (ms < day) {
    const minutes = Math.floor((ms % hour) / minute);
    return `${Math.floor(ms / hour)} h` + (minutes ? ` ${minutes} min` : "");
  }
  const hours = Math.floor((ms % day) / hour);
  return `${Math.floor(ms / day)} d` + (hours ? ` ${hours} h` : "");
}

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "medium", timeStyle: "medium" });

const toMinute = { month: "short", day: "numeric", hour: "2-digit", minute: "2-digit" };
const brief = new Intl.DateTimeFormat(undefined, toMinute);
const briefWithYear = new Intl.DateTimeFormat(undefined, { year: "numeric", ...toMinute });

function times(root) {
  for (const element of root.querySelectorAll("time[datetime]")) {
    const at = Date.parse(element.dateTime);
    if (Number.isNaN(at)) continue;
    if ("ago" in element.dataset || "until" in element.dataset) element.title ||= local.format(at);
    if ("ago" in element.dataset) {
      const past = Date.now() - at;
      element.textContent = past < 0 ? `in ${span(-past)}` : `${span(past)} ago`;
    } else if ("until" in element.dataset) {
      const left = at - Date.now();
      element.textContent = left > 0 ? `in ${span(left)}` : "due";
    } else if ("short" in element.dataset) {
      const sameYear = new Date(at).getFullYear() === new Date().getFullYear();
      element.textContent = (sameYear ? brief : briefWithYear).format(at);
    } else if (!element.title) {
      element.title = element.textContent;
      element.textContent = local.format(at);
    }
  }
}

// A button beside everything that is meant to be copied; only where the browser lets pages copy.
function copyButtons(root) {
  if (!navigator.clipboard) return;
  for (const element of root.querySelectorAll("[data-copy]")) {
    if (element.dataset.copy === "ready") continue;
    element.dataset.copy = "ready";
    const text = element.textContent;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.dataset.made = "";
    button.textContent = "Copy";
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Not copied";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2 * second);
    });
    if (element.tagName === "PRE") element.prepend(button); else element.after(button);
  }
}

times(document);
copyButtons(document);
// Pages of operators keep themselves current (live.js) and say when something new is in them.
document.addEventListener("vigilmon:fresh", (event) => {
  times(event.target);
  copyButtons(event.target);
});
setInterval(() => times(document), 10 * second);
