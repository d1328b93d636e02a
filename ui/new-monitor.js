// The preview of a new monitor follows what is typed. It is the page's own answer to the form, so nothing is decided here, and
// without this there is a button.

const form = document.querySelector("form.new-monitor");
const typingPause = 400;
let waiting = 0, asked = 0;

async function preview() {
  const mine = ++asked;
  const fields = new URLSearchParams(new FormData(form));
  fields.set("do", "preview");
  try {
    const answer = await fetch(form.action, { method: "POST", body: fields, headers: { accept: "text/html" } });
    if (!answer.ok || mine !== asked) return;
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById("preview");
    if (!fresh) return;
    // Its place stays, so that its news is read out.
    const place = document.getElementById("preview");
    place.replaceChildren(...fresh.childNodes);
    place.dispatchEvent(new CustomEvent("vigilmon:fresh", { bubbles: true }));
  } catch {
    // What is shown stays; the button tells why.
  }
}

form?.addEventListener("input", () => {
  clearTimeout(waiting);
  waiting = setTimeout(preview, typingPause);
});
