// Lists the questions of #fates that match the search box and the filter. Texts are set as text only.
"use strict";
(() => {
  const source = document.getElementById("fates");
  if (!source) return;
  const { runs, questions } = JSON.parse(source.textContent);
  const form = document.querySelector("form.filter");
  const [search, kind, output] = form.elements;
  const table = document.querySelector("table.questions");
  const body = table.tBodies[0];
  const more = document.querySelector(".more");
  const words = { g: "gained", k: "kept", l: "lost", n: "never right", "-": "not evaluated" };
  const page = 20;
  const texts = questions.map(([id, prompt, answer, level]) => [id, prompt, answer, level].join("\n").toLowerCase());
  const hasLevels = questions.some((question) => question[3]);
  let found = [], listed = 0;

  const element = (name, className, text) => {
    const made = document.createElement(name);
    if (className) made.className = className;
    if (text != null) made.textContent = text;
    return made;
  };
  const startsArm = (index) => index > 0 && runs[index].colour !== runs[index - 1].colour;

  function strip(fates) {
    const made = element("span", "strip");
    const counts = {};
    [...fates].forEach((fate, index) => {
      const cell = element("i", (fate === "-" ? "x" : fate) + (startsArm(index) ? " next" : ""));
      cell.title = `${runs[index].name}: ${words[fate]}`;
      counts[fate] = (counts[fate] ?? 0) + 1;
      made.append(cell);
    });
    made.setAttribute("role", "img");
    made.setAttribute("aria-label", Object.entries(counts).map(([fate, count]) => `${words[fate]} in ${count}`).join(", "));
    return made;
  }

  function row([id, prompt, answer, level, before, after, fates]) {
    const made = element("tr");
    const head = element("th");
    head.scope = "row";
    const key = element("span", "key", "right answer ");
    key.append(element("b", "", answer));
    head.append(element("span", "id", id), element("p", "prompt", prompt), key);
    const last = element("td");
    last.append(strip(fates));
    const percent = (share) => (share == null ? "\u2014" : share + "\u00a0%");
    made.append(head, ...(hasLevels ? [element("td", "", level)] : []),
      element("td", "share before", percent(before)), element("td", "share after", percent(after)), last);
    return made;
  }

  function matches(fates) {
    if (!kind.value) return true;
    if (kind.value === "mixed") return new Set(fates.replaceAll("-", "")).size > 1;
    const [how, fate] = kind.value.split("-");
    return how === "some" ? fates.includes(fate) : fates.includes(fate) && [...fates].every((each) => each === fate || each === "-");
  }

  function list(count) {
    body.append(...found.slice(listed, listed + count).map((index) => row(questions[index])));
    listed = Math.min(found.length, listed + count);
    more.hidden = listed === found.length;
    more.firstElementChild.textContent = `show more (${listed} of ${found.length})`;
  }

  function apply() {
    const wanted = search.value.trim().toLowerCase();
    found = questions.map((_, index) => index).filter((index) => texts[index].includes(wanted) && matches(questions[index][6]));
    output.textContent = found.length === questions.length ? "" : `${found.length} of ${questions.length}`;
    body.replaceChildren();
    listed = 0;
    list(page);
  }

  if (!hasLevels) table.querySelector(".level").remove();
  table.querySelector(".heads").append(...runs.map((run, index) => {
    const mark = element("i", startsArm(index) ? "next" : "");
    mark.style.background = `var(${run.colour})`;
    mark.title = run.name;
    return mark;
  }));
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  more.firstElementChild.addEventListener("click", () => list(200));
  form.hidden = table.hidden = false;
  apply();
})();
