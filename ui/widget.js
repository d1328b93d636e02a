// Keeps the widget current, and lets it look and read old when it cannot. Without it the widget says what was true when the page around
// it was opened.

const relative = new Intl.RelativeTimeFormat(document.documentElement.lang, { style: "short" });
const steps = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];
let renewedAt = performance.now();

function age() {
  const main = document.querySelector("main"), time = main.querySelector("time");
  if (time) {
    const s = Math.round((new Date(time.dateTime) - Date.now()) / 1000);
    const [name, length] = steps.find(([, length]) => Math.abs(s) >= length) ?? steps[3];
    time.textContent = relative.format(Math.trunc(s / length), name);
  }
  if (performance.now() - renewedAt < main.dataset.fresh * 1000) return;
  document.body.classList.add("stale");
  // What was true then is not claimed any longer.
  main.querySelector("b").textContent = main.dataset.old;
}

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html"), fresh = page.querySelector("body.widget > main");
    if (!fresh) return;
    document.querySelector("main").replaceWith(fresh);
    document.body.className = page.body.className;
    renewedAt = performance.now();
  } catch {
    // Looked after by its age.
  }
  age();
}

age();
setInterval(age, 10e3);
setInterval(renew, document.querySelector("main").dataset.refresh * 1000);
document.addEventListener("visibilitychange", renew);
