// Keeps the widget current; without it the widget says what was true when the page around it was opened.

async function renew() {
  if (document.hidden) return;
  try {
    const answer = await fetch(location.href);
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").querySelector("main");
    if (fresh) document.querySelector("main").replaceWith(fresh);
  } catch {
    // The sentence carries its age.
  }
}

setInterval(renew, 60e3);
