"use strict";
(() => {
  const table = document.getElementById("hosts");
  // The rows are in parts of one size, which a browser passes over while out of sight.
  const parts = Array.from(table.tBodies);
  const size = parts[0].rows.length;
  const rows = parts.flatMap((part) => Array.from(part.rows));
  const few = 1000;
  const tools = document.getElementById("tools");
  const boxes = Array.from(tools.querySelectorAll("[type=checkbox]"));
  const search = document.getElementById("search");
  const tally = document.getElementById("tally");
  const nothing = document.getElementById("none");
  const format = new Intl.NumberFormat("en");
  const cell = (row, column) => row.cells[column].textContent.trim();

  // A row's words are read once, when they are first wanted.
  let texts = null;
  const read = () => {
    texts ??= rows.map((row) =>
      Array.from(row.cells, (c) => c.textContent).join("\n").toLowerCase());
    return texts;
  };
  const filter = () => {
    const words = search.value.toLowerCase().split(/\s+/).filter(Boolean);
    const wanted = new Set(boxes.filter((box) => box.checked).map((box) => box.value));
    const known = words.length ? read() : [];
    let shown = 0;
    rows.forEach((row, place) => {
      const fits = (!wanted.size || wanted.has(cell(row, 1)))
        && words.every((word) => known[place].includes(word));
      if (row.hidden === fits) row.hidden = !fits;
      shown += fits;
    });
    table.classList.toggle("few", shown <= few);
    parts.forEach((part) => {
      const left = Array.from(part.rows).filter((row) => !row.hidden).length;
      part.hidden = !left;
      part.style.containIntrinsicSize = `auto ${2 * left}rem`;
    });
    nothing.hidden = shown > 0 || !rows.length;
    tally.textContent = words.length || wanted.size
      ? `${format.format(shown)} of ${format.format(rows.length)} hosts` : "";
  };
  let waiting = 0;
  tools.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(filter, 60);
  });
  tools.addEventListener("submit", (event) => event.preventDefault());
  tools.hidden = false;

  const copy = async (button, text) => {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // Pages that came over http have no clipboard of their own.
      const area = document.createElement("textarea");
      area.value = text;
      document.body.append(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const words = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 2000);
  };
  document.querySelectorAll("details .copy").forEach((button) => {
    button.hidden = false;
    button.addEventListener("click", () => {
      copy(button, button.nextElementSibling.textContent);
    });
  });
  document.getElementById("copy").addEventListener("click", (event) => {
    const shown = parts.flatMap((part) => Array.from(part.rows)).filter((row) => !row.hidden);
    copy(event.target, shown.map((row) => `${cell(row, 0)}\n`).join(""));
  });

  // Up, down, and problems first as in the beginning.
  const collator = new Intl.Collator("en", { numeric: true });
  const next = { none: "ascending", ascending: "descending", descending: "none" };
  const heads = Array.from(table.tHead.rows[0].cells);
  const order = (column, direction) => {
    const keys = new Map(rows.map((row) => [row, cell(row, column)]));
    const sign = direction === "descending" ? -1 : 1;
    return [...rows].sort((a, b) => {
      const one = keys.get(a), other = keys.get(b);
      if (!one || !other) return !one - !other;
      return sign * collator.compare(one, other);
    });
  };
  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const direction = next[head.getAttribute("aria-sort") ?? "none"];
      heads.forEach((other) => other.removeAttribute("aria-sort"));
      if (direction !== "none") head.setAttribute("aria-sort", direction);
      const sorted = direction === "none" ? rows : order(column, direction);
      parts.forEach((part, n) => part.append(...sorted.slice(n * size, (n + 1) * size)));
      filter();
    });
  });

  // A page that was reloaded may have kept what was typed.
  filter();
})();
