"use strict";

// Event listeners are on the document, so that they also work for runs added later.

function showFrame(range) {
  const figure = range.closest("[data-frames]");
  const frames = figure.querySelectorAll(".stack img");
  frames.forEach((frame, number) => { frame.hidden = number !== Number(range.value); });
  const { evaluation } = frames[range.value].dataset;
  figure.querySelector("output").textContent = evaluation;
  range.setAttribute("aria-valuetext", `evaluation ${evaluation}`);
}

function moveWipe(range) {
  range.parentElement.style.setProperty("--at", `${range.value}%`);
}

// The result's data is on the page once; this copies its element under the reference.
function layUnder(wipe) {
  const result = document.getElementById(wipe.dataset.under);
  if (!result || wipe.querySelector(".under")) return;
  const under = result.cloneNode();
  under.removeAttribute("id");
  under.hidden = false;
  under.className = "under";
  wipe.prepend(under);
}

function prepare(root) {
  root.querySelectorAll("[data-under]").forEach(layUnder);
}

async function copy(button) {
  const code = document.getElementById(button.dataset.copy);
  const status = button.parentElement.querySelector("[role=status]");
  try {
    await navigator.clipboard.writeText(code.textContent);
    status.textContent = "copied";
  } catch { // no permission or an old browser
    getSelection().selectAllChildren(code);
    status.textContent = "selected; copy it with Ctrl+C";
  }
}

document.addEventListener("input", ({ target }) => {
  if (target.matches("[data-frame]")) showFrame(target);
  if (target.matches("[data-wipe]")) moveWipe(target);
});
document.addEventListener("click", ({ target }) => {
  if (target.matches("[data-copy]")) copy(target);
});
addEventListener("beforeprint", () => {
  document.querySelectorAll("details").forEach((part) => { part.open = true; });
});
prepare(document);
