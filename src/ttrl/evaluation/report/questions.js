// Draws single questions. Of one run (#questions): cards with the votes before, during and after, with
// search, filter and order. Of several (#fates): rows with what became of the vote in each run. Texts come
// from models and data sets, so they reach the page as text only.
"use strict";
(() => {
  function element(tag, className, ...children) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    made.append(...children.filter((child) => child != null && child !== ""));
    return made;
  }

  const read = (id) => JSON.parse(document.getElementById(id)?.textContent ?? "null");

  function drawCards({ strings, sets }) {
    const place = document.querySelector(".with-script");
    const form = place.querySelector("form.filter");
    const [search, kind, order, output] = form.elements;
    const SHORT = 280;
    const ELLIPSIS = "\u2026";

    // [text, characters left out] if it was cut, else the text.
    const shownOf = (text) => (Array.isArray(text) ? text : [text, 0]);

    function question(row, position) {
      const [id, prompt, answer, fate, changed, level, before, after, visits, visited, early, late] = row;
      return { id, prompt, answer, fate, changed, level, before, after, visits, visited, early, late, position, card: null, words: null };
    }

    function bars(row) {
      // [correct, tied, others, no answer, label, votes, code, ...]
      const found = [];
      for (let at = 4; at < row.length; at += 3) {
        found.push({ label: strings[row[at]], votes: row[at + 1], right: row[at + 2] & 1, elected: row[at + 2] & 2 });
      }
      return withRest(found, row[2], row[3]);
    }

    function visitBars(visit, rightLabels) {
      // [step, others, no answer, label, votes, ...], the elected one first
      const found = [];
      for (let at = 3; at < visit.length; at += 2) {
        const label = strings[visit[at]];
        found.push({ label, votes: visit[at + 1], right: rightLabels.has(label), elected: at === 3 });
      }
      return withRest(found, visit[1], visit[2]);
    }

    function withRest(found, others, none) {
      if (others) found.push({ label: "others", votes: others, kind: "rest" });
      if (none) found.push({ label: "no answer", votes: none, kind: "none" });
      return found;
    }

    function histogram(found) {
      const all = found.reduce((sum, bar) => sum + bar.votes, 0) || 1;
      const list = element("ol");
      for (const bar of found) {
        const name = element("b", "", bar.label);
        name.title = bar.label;
        const entry = element("li", (bar.kind ?? (bar.right ? "right" : "answer")) + (bar.elected ? " elected" : ""),
          name, element("i"), element("s", "", String(bar.votes)));
        entry.style.setProperty("--n", (100 * bar.votes / all).toFixed(1));
        list.append(entry);
      }
      return list;
    }

    function votes(row, title) {
      if (!row) return element("div", "votes", element("h4", "", title), element("p", "note", "not evaluated"));
      const head = element("h4", "", title);
      if (row[0] != null) head.append(" ", element("span", "", row[0] + " % right"));
      if (row[1]) head.append(" ", element("span", "", "tied"));
      return element("div", "votes", head, histogram(bars(row)));
    }

    function rightLabels(question) {
      const found = new Set(question.answer == null ? [] : [question.answer]);
      for (const row of [question.before, question.after]) {
        for (const bar of row ? bars(row) : []) if (bar.right) found.add(bar.label);
      }
      return found;
    }

    function during(question) {
      const { visits, visited } = question;
      const right = rightLabels(question);
      const told = element("span");
      const head = element("h4", "", "during training ", told);
      const box = element("div", "votes during", head);
      let list = element("ol");
      const slider = document.createElement("input");
      slider.type = "range";
      slider.min = 0;
      slider.max = visits.length - 1;
      slider.value = visits.length - 1;
      slider.setAttribute("aria-label", "Visit of " + question.id);
      function show() {
        const visit = visits[slider.value];
        const place = visits.length < visited
          ? `step ${visit[0]}, one of ${visits.length} shown of ${visited}`
          : `step ${visit[0]}, visit ${+slider.value + 1} of ${visited}`;
        told.textContent = place;
        slider.setAttribute("aria-valuetext", place);
        const next = histogram(visitBars(visit, right));
        list.replaceWith(next);
        list = next;
      }
      slider.addEventListener("input", show);
      if (visits.length > 1) box.append(slider);
      box.append(list);
      show();
      return box;
    }

    function folded(text, title) {
      const [shown, leftOut] = shownOf(text);
      if (!shown && !leftOut) return null;
      const box = element("details", "", element("summary", "", title));
      box.addEventListener("toggle", () => {
        if (box.childElementCount > 1) return;
        if (shown) box.append(element("pre", "", shown));
        if (leftOut) {
          box.append(element("p", "note",
            `${leftOut.toLocaleString("en")} ${shown ? "more " : ""}characters are left out here; the whole text is in evaluations/.`));
        }
      });
      return box;
    }

    function card(question) {
      const { id, prompt, answer, fate, changed, level } = question;
      const tag = ["gained", "lost"].includes(fate) ? fate : changed ? "label changed" : null;
      const head = element("p", "id", id);
      if (level != null) head.append(" ", element("span", "level", "level " + level));
      if (tag) head.append(" ", element("em", "", tag));
      const [text, leftOut] = shownOf(prompt);
      const isLong = text.length > SHORT || leftOut > 0;
      const asked = element("div", "asked", head, element("p", "prompt", isLong ? text.slice(0, SHORT) + ELLIPSIS : text));
      if (isLong) asked.append(folded(prompt, "whole question"));
      if (answer != null) asked.append(element("p", "key", "right answer ", element("b", "", answer)));
      const made = element("article", "question" + (fate ? " " + fate : "") + (question.visits.length ? " visited" : ""), asked,
        votes(question.before, "before"), question.visits.length ? during(question) : null, votes(question.after, "after"));
      const examples = [folded(question.early, "a completion before"), folded(question.late, "a completion after")];
      if (examples.some(Boolean)) made.append(element("div", "examples", ...examples));
      return made;
    }

    const labelsOf = (row) => (row ? bars(row).map((bar) => bar.label) : []);

    function matches(question, wanted) {
      if (kind.value && !(kind.value === "changed" ? question.changed : question.fate === kind.value)) return false;
      if (!wanted) return true;
      question.words ??= [question.id, shownOf(question.prompt)[0], question.answer ?? "", question.level ?? "",
        ...labelsOf(question.before), ...labelsOf(question.after)].join("\n").toLowerCase();
      return question.words.includes(wanted);
    }

    const rise = ({ before, after }) => (before?.[0] == null || after?.[0] == null ? null : after[0] - before[0]);
    function agreement({ after }) {
      if (!after) return null;
      const found = bars(after);
      const all = found.reduce((sum, bar) => sum + bar.votes, 0);
      return all ? (found.find((bar) => bar.elected)?.votes ?? 0) / all : null;
    }
    const byNumber = (value, sign) => (first, second) => {
      const [a, b] = [value(first), value(second)];
      if (a == null || b == null) return (a == null) - (b == null);
      return sign * (a - b) || first.position - second.position;
    };
    const orders = {
      "": (first, second) => first.position - second.position,
      id: (first, second) => first.id.localeCompare(second.id, "en", { numeric: true }),
      rise: byNumber(rise, -1),
      fall: byNumber(rise, 1),
      unsure: byNumber(agreement, 1),
    };

    const groups = [...place.querySelectorAll("details.set")].map((set) => ({
      set,
      cards: set.querySelector(".cards"),
      count: set.querySelector(".count"),
      questions: sets[set.dataset.set].map(question),
      shown: [],
    }));

    function draw(group) {
      if (!group.set.open) return;
      group.cards.replaceChildren(...group.shown.map((question) => (question.card ??= card(question))));
    }

    function apply() {
      const wanted = search.value.trim().toLowerCase();
      let found = 0, all = 0;
      for (const group of groups) {
        group.shown = group.questions.filter((question) => matches(question, wanted)).sort(orders[order.value]);
        const [shown, total] = [group.shown.length, group.questions.length];
        group.count.textContent = shown === total ? String(shown) : `${shown} of ${total}`;
        found += shown;
        all += total;
        draw(group);
      }
      place.classList.toggle("unfiltered", !wanted && !kind.value);
      output.textContent = found === all ? "" : `${found} of ${all}`;
    }

    for (const group of groups) group.set.addEventListener("toggle", () => draw(group));
    form.addEventListener("submit", (event) => event.preventDefault());
    form.addEventListener("input", apply);
    place.hidden = false;
    apply();

    let closed = [];
    addEventListener("beforeprint", () => {
      closed = [...document.querySelectorAll("details:not([open])")].filter((box) => !box.closest("article"));
      for (const box of closed) box.open = true;
      for (const group of groups) draw(group);
    });
    addEventListener("afterprint", () => { for (const box of closed) box.open = false; });
  }

  function listFates({ runs, questions }) {
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
  }

  const cards = read("questions");
  const fates = read("fates");
  if (cards) drawCards(cards);
  if (fates) listFates(fates);
})();
