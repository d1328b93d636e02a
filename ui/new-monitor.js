// The preview of a new monitor follows what is typed. It is the page's own answer to the form, so nothing is decided here, and
// without this there is a button.

const form = document.querySelector("form.new-monitor");
const typingPause = 400;
let waiting = 0, asked = 0;

// What is wrong with a field is said at it, once there is something in it.
function mark(input, page) {
  const told = input.value && page.querySelector(`form.new-monitor label > input[name="${input.name}"]`);
  const cause = told && told.parentElement.querySelector(".cause");
  input.parentElement.querySelector(".cause")?.remove();
  if (cause) input.parentElement.append(cause);
  for (const name of ["aria-invalid", "aria-describedby"]) {
    if (cause) input.setAttribute(name, told.getAttribute(name));
    else input.removeAttribute(name);
  }
}

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
    for (const input of form.querySelectorAll("label:not(.choice) > input")) mark(input, page);
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
