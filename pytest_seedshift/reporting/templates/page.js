"use strict";
(() => {
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];
  const form = document.getElementById("filters");
  const peek = document.getElementById("peek");

  // Filters: what has data-model, data-shift or data-verdict is shown if all that it has is wanted.
  const checked = (name) => {
    const boxes = all(`input[name=${name}]`, form);
    return boxes.length ? new Set(boxes.filter((box) => box.checked).map((box) => box.value)) : null;
  };
  const wantsVerdict = (wanted, verdict) => wanted === "all" || (wanted === "passing"
    ? verdict === "pass" : ["fail", "error", "unfinished"].includes(verdict));
  function filter() {
    const models = checked("model"), shifts = checked("shift");
    const verdict = form.elements.verdict.value;
    const wants = (element, withVerdict) => {
      const { model, shift, verdict: has } = element.dataset;
      return (!model || !models || models.has(model))
        && (!shift || shift === "none" || !shifts || shifts.has(shift))
        && (!withVerdict || !has || wantsVerdict(verdict, has));
    };
    for (const element of all("main [data-model], main [data-shift]")) {
      if (element.matches(".cell")) element.classList.toggle("dim", !wants(element, true));
      else element.classList.toggle("off", !wants(element, true));
    }
    for (const table of all(".sortable")) { // columns of shifts
      all("thead th", table).forEach((head, place) => {
        if (head.dataset.shift) for (const row of table.tBodies[0].rows) row.cells[place].classList.toggle("off", !wants(head));
      });
    }
    if (models) all("input[name=model]", form).forEach((box, index) => {
      for (const line of all(`.panels .series-${index}`)) line.classList.toggle("off", !box.checked);
    });
    const cases = all("details.case"), shown = cases.filter((each) => !each.classList.contains("off"));
    const status = document.getElementById("shown");
    status.textContent = `${shown.length} of ${cases.length} cases shown`;
  }
  form.hidden = false;
  form.addEventListener("change", () => {
    filter();
    if (form.elements.verdict.value === "passing") for (const rest of all(".rest")) rest.open = true;
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.reset();

  // A link to a case opens it, and shows it even if a filter would hide it.
  function follow() {
    let id = location.hash.slice(1);
    try { id = decodeURIComponent(id); } catch { /* as it is */ }
    const target = id && document.getElementById(id);
    if (!target || !target.matches("details.case")) return;
    if (target.classList.contains("off") || target.closest(".model").classList.contains("off")) { form.reset(); filter(); }
    for (let part = target; part; part = part.parentElement.closest("details")) part.open = true;
    target.scrollIntoView({ block: "start" });
    target.querySelector("summary").focus({ preventScroll: true });
  }
  addEventListener("hashchange", follow);
  document.addEventListener("click", (event) => { // the same link twice is no change of the hash
    const link = event.target.closest('a[href^="#"]');
    if (link && link.hash === location.hash) follow();
  });

  // Pointing at a cell, or moving to it by keyboard, shows its pictures; Escape puts them away.
  let timer = 0;
  function show(link) {
    clearTimeout(timer);
    const target = document.getElementById(link.dataset.case);
    if (!target) return;
    const title = document.createElement("p"), summary = target.querySelector("summary").cloneNode(true);
    title.append(...summary.childNodes);
    peek.replaceChildren(title);
    const strip = target.querySelector("table.strip");
    if (strip) {
      const copy = strip.cloneNode(true);
      for (const row of copy.rows) while (row.cells.length > 7) row.lastElementChild.remove();
      peek.append(copy);
    } else {
      const none = document.createElement("p");
      none.textContent = "No pictures of this case were kept.";
      peek.append(none);
    }
    peek.hidden = false;
    const at = link.getBoundingClientRect(), size = peek.getBoundingClientRect();
    const above = at.top - size.height - 6, below = at.bottom + 6;
    peek.style.top = `${below + size.height <= innerHeight || above < 0 ? Math.min(below, innerHeight - Math.min(size.height, innerHeight)) : above}px`;
    peek.style.left = `${Math.max(8, Math.min(at.left, document.documentElement.clientWidth - size.width - 8))}px`;
  }
  const hide = () => { clearTimeout(timer); peek.hidden = true; };
  const hideSoon = () => { clearTimeout(timer); timer = setTimeout(hide, 250); };
  for (const link of all("a[data-case]")) {
    link.addEventListener("pointerenter", (event) => { if (event.pointerType !== "touch") show(link); });
    link.addEventListener("pointerleave", hideSoon);
    link.addEventListener("focus", () => { if (link.matches(":focus-visible")) show(link); });
    link.addEventListener("blur", hideSoon);
  }
  peek.addEventListener("pointerenter", () => clearTimeout(timer));
  peek.addEventListener("pointerleave", hideSoon);
  addEventListener("keydown", (event) => { if (event.key === "Escape") hide(); });
  addEventListener("hashchange", hide);

  // Tables sort by their head's buttons; numbers by data-value, what has none last.
  for (const table of all(".sortable")) {
    const heads = all("thead th", table);
    heads.forEach((head, place) => head.querySelector("button").addEventListener("click", () => {
      const down = head.getAttribute("aria-sort") === "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      const key = (row) => {
        const cell = row.cells[place];
        return "value" in cell.dataset ? (cell.dataset.value === "" ? NaN : Number(cell.dataset.value)) : cell.textContent.trim();
      };
      const compare = (one, two) => {
        const a = key(one), b = key(two);
        if (typeof a === "string") return a.localeCompare(b, undefined, { numeric: true }) * (down ? -1 : 1);
        if (Number.isNaN(a) || Number.isNaN(b)) return Number.isNaN(a) - Number.isNaN(b);
        return (a - b) * (down ? -1 : 1);
      };
      table.tBodies[0].append(...[...table.tBodies[0].rows].sort(compare));
    }));
  }

  // One label at a time.
  for (const growth of all(".growth")) {
    const choose = growth.querySelector(".choose"), select = choose.querySelector("select"), parts = all(".one", growth);
    const pick = () => parts.forEach((part, place) => { part.hidden = place !== Number(select.value); });
    select.value = "0";
    choose.hidden = parts.length < 2;
    select.addEventListener("change", pick);
    pick();
  }

  addEventListener("beforeprint", () => { for (const each of all("details.case.fail, details.case.error")) each.open = true; });
  filter();
  follow();
})();
