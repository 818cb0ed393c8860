// A table whose rows are kept by key, so that an update neither moves the page nor takes the focus.

import { h, keyed, text } from "./dom.js";

export class Table {
  /** `columns`: { label, cell(row) → text, or fill(td, row); number, class }. `empty(data)` → what to say without rows. */
  constructor(parent, caption, columns, empty) {
    this.columns = columns;
    this.empty = h("p", { class: "empty" });
    this.says = empty;
    this.body = h("tbody");
    const heads = columns.map((c) => h("th", { scope: "col", class: c.number ? "number" : "" }, c.label));
    this.table = h("table", {}, h("caption", { class: "hidden" }, caption), h("thead", {}, h("tr", {}, ...heads)), this.body);
    parent.append(this.table, this.empty);
  }

  update(rows, key, context) {
    this.table.hidden = rows.length === 0;
    this.empty.hidden = rows.length > 0;
    if (rows.length === 0) text(this.empty, this.says(context));
    keyed(this.body, rows, key, () => this.row(), (tr, row) => this.columns.forEach((column, i) => {
      if (column.fill) column.fill(tr.children[i], row);
      else text(tr.children[i], column.cell(row));
    }));
  }

  row() {
    const cell = (c, i) => h(i === 0 ? "th" : "td", {
      scope: i === 0 ? "row" : null,
      class: [c.number && "number", c.class].filter(Boolean).join(" "),
      dataset: { label: c.label },
    });
    return h("tr", {}, ...this.columns.map(cell));
  }
}

/** Marks in a cell: [text, tone, title]. */
export function badges(td, marks) {
  keyed(td, marks, ([name]) => name, ([name, tone, title]) => h("span", { class: `badge ${tone}`, title }, name), () => {});
}
