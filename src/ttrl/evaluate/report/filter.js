// Hides the questions that do not match the search box and the filter.
"use strict";
(() => {
  const form = document.querySelector("form.filter");
  if (!form) return;
  const [search, kind, output] = form.elements;
  const sets = [...document.querySelectorAll("details.set")].map((set) => ({
    count: set.querySelector(".count"),
    questions: [...set.querySelectorAll("article")].map((element) => ({ element, text: null })),
  }));

  function apply() {
    const wanted = search.value.trim().toLowerCase();
    let found = 0, all = 0;
    for (const { count, questions } of sets) {
      let shown = 0;
      for (const question of questions) {
        if (wanted) question.text ??= question.element.textContent.toLowerCase();
        const matches = (!wanted || question.text.includes(wanted))
          && (!kind.value || question.element.classList.contains(kind.value));
        question.element.hidden = !matches;
        shown += matches;
      }
      count.textContent = shown === questions.length ? String(shown) : `${shown} of ${questions.length}`;
      found += shown;
      all += questions.length;
    }
    output.textContent = found === all ? "" : `${found} of ${all}`;
  }

  form.hidden = false;
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("input", apply);
  apply();
})();
