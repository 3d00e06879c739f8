/* The same numbers as a table: a row for each text player, a column for each video player. */
globalThis.hbi ??= {};

globalThis.hbi.table = (() => {
  "use strict";
  const { html } = globalThis.hbi.elements;
  const { measuresOf, capitalised, kindOf, nameOf, signed, sidesOf } = globalThis.hbi.reading;

  /** The shown cross links of a level, and the values of its players where they are known. */
  function tableOf(level, links, view, data) {
    const cells = new Map(links.map((link) => [`${link.kind}/${link.first}/${link.second}`, link]));
    const head = (side, index) =>
      html("th", { scope: side === "video" ? "col" : "row" }, nameOf(level, side, index, data));
    const valueOf = (side, index) => html("td", { class: "hbi-own" }, signed(level.values[side][index]));
    const videos = [...level.video_tokens.keys()];
    const rows = level.text_tokens.map((_, text) =>
      html(
        "tr",
        {},
        head("text", text),
        ...videos.map((video) => cellOf(cells.get(`cross/${video}/${text}`))),
        ...(level.values ? [valueOf("text", text)] : []),
      ),
    );
    const own = level.values ? [html("th", { scope: "col" }, "own value")] : [];
    const last = html(
      "tr",
      {},
      html("th", { scope: "row" }, "own value"),
      ...videos.map((video) => level.values && valueOf("video", video)),
      html("td"),
    );
    const caption =
      `${capitalised(level.name)} level: ` +
      `${level.linkTold ? "A − B of the interaction" : measuresOf(data.explanation)[view.measure]} of ${kindOf(level, "text")}s ` +
      `and ${sidesOf(level).video[1]}; empty cells are filtered out`;
    return html(
      "div",
      { class: "hbi-table", tabindex: 0, role: "region", "aria-label": `Table of the ${level.name} level` },
      html(
        "table",
        {},
        html("caption", {}, caption),
        html("thead", {}, html("tr", {}, html("td"), ...videos.map((v) => head("video", v)), ...own)),
        html("tbody", {}, ...rows, ...(level.values ? [last] : [])),
      ),
    );
  }

  function cellOf(link) {
    if (!link) return html("td");
    const style = `--hbi-grade: var(--hbi-${link.grade.name}, ${link.grade.colour})`;
    return html("td", { "data-id": link.id, style }, signed(link.value));
  }

  return { tableOf };
})();
