// Follows a run: requests its status every second, and picture and curves when they have changed.

const SECOND = 1000;
const BETWEEN_CURVES = 2 * SECOND;
const PATIENCE = 3; // after this many failures in a row the run counts as ended

const live = document.getElementById("live");
const part = (selector) => live.querySelector(selector);
const title = document.title;
const shown = { picture: "", curves: "", curvesAt: 0 };

async function ask(address, options = {}) {
  const answer = await fetch(address, { ...options, signal: AbortSignal.timeout(10 * SECOND) });
  if (!answer.ok) throw new Error(await answer.text());
  return answer;
}

function element(name, text, className = "") {
  const made = document.createElement(name);
  made.textContent = text;
  if (className) made.className = className;
  return made;
}

function row(name, ...cells) {
  const made = document.createElement(name);
  made.append(...cells);
  return made;
}

function say(sentence) {
  const place = part("#live-sentence");
  if (place.textContent !== sentence) place.textContent = sentence;
}

function showProgress({ ended, iteration, iterations }) {
  const bar = part("progress");
  bar.hidden = ended;
  if (iterations) {
    bar.max = iterations;
    bar.value = iteration;
  } else {
    bar.removeAttribute("value"); // progress unknown
  }
  document.title = iteration && !ended ? `${iteration} of ${iterations} · ${title}` : title;
}

function showFigures(figures) {
  part(".figures").replaceChildren(
    ...figures.map(([name, value]) => row("div", element("dt", name), element("dd", value))),
  );
}

function showStages(stages) {
  part(".stages").hidden = stages.length < 2;
  part(".stages").replaceChildren(
    ...stages.map(([name, state]) => row("li", element("span", name), " ", element("small", state, state.split(" ")[0]))),
  );
}

function showLosses(losses) {
  part(".losses").hidden = !losses.length;
  part(".losses tbody").replaceChildren(
    ...losses.map(({ kind, name, colour, first, last }) => {
      const heading = element("th", name);
      heading.scope = "row";
      heading.prepend(element("i", "", `key ${kind} series-${colour}`));
      return row("tr", heading, element("td", first), element("td", last));
    }),
  );
}

function showPicture({ picture, width, height, iteration }) {
  const figure = part(".picture");
  figure.hidden = !picture;
  if (!picture || picture === shown.picture) return;
  shown.picture = picture;
  const image = figure.querySelector("img");
  image.width = width;
  image.height = height;
  image.src = `/picture?${picture}`;
  figure.querySelector("span").textContent = `iteration ${iteration}, ${width}×${height}`;
}

async function showCurves({ picture, ended, losses }) {
  const wait = ended ? 0 : BETWEEN_CURVES;
  if (!losses.length || picture === shown.curves || Date.now() < shown.curvesAt + wait) return;
  shown.curves = picture;
  shown.curvesAt = Date.now();
  part(".curves").innerHTML = await (await ask("/curves.svg")).text();
}

// Requests the current page from the server and adds the runs that are not shown yet.
async function showFinished(finished) {
  while (Number(live.dataset.finished) < finished) {
    const text = await (await ask("/")).text();
    const page = new DOMParser().parseFromString(text, "text/html");
    document.querySelector("nav ul").replaceWith(page.querySelector("nav ul"));
    for (const article of page.querySelectorAll("main article")) {
      if (document.getElementById(article.id)) continue;
      document.querySelector("main").append(article);
      prepare(article);
    }
    live.dataset.finished = page.getElementById("live").dataset.finished;
  }
}

function showEnd() {
  part(".stop").hidden = true;
  part("progress").hidden = true;
  document.title = title;
}

async function show(status) {
  say(status.sentence);
  live.className = status.state;
  showProgress(status);
  showFigures(status.figures);
  showStages(status.stages);
  showLosses(status.losses);
  showPicture(status);
  await showCurves(status);
  await showFinished(status.finished);
}

async function follow() {
  for (let failures = 0; failures < PATIENCE;) {
    try {
      const status = await (await ask("/status.json")).json();
      await show(status);
      if (status.ended) return showEnd();
      failures = 0;
    } catch {
      failures += 1;
    }
    await new Promise((resolve) => { setTimeout(resolve, SECOND); });
  }
  say("The run has ended or cannot be reached.");
  return showEnd();
}

function askWhether(asks) {
  part("[data-ask]").hidden = asks;
  part(".question").hidden = !asks;
  part(asks ? "[data-no]" : "[data-ask]").focus();
}

async function stop() {
  part(".stop").hidden = true;
  try {
    await ask("/stop", { method: "POST", headers: { "X-Stop": live.dataset.stop } });
    say("Stopping: the current picture is being saved.");
  } catch (error) {
    part(".stop").hidden = false;
    askWhether(false);
    say(`Not stopped: ${error.message}`);
  }
}

live.addEventListener("click", ({ target }) => {
  if (target.matches("[data-ask]")) askWhether(true);
  if (target.matches("[data-no]")) askWhether(false);
  if (target.matches("[data-yes]")) stop();
});
live.addEventListener("keydown", ({ key }) => {
  if (key === "Escape" && !part(".question").hidden) askWhether(false);
});

history.replaceState(null, "", `/${location.hash}`); // removes the token from the address
follow();
