/* The keyboard in the coalition graph: arrows move, Enter chooses, Shift adds, Escape chooses none. */
globalThis.hbi ??= {};

globalThis.hbi.keyboard = (() => {
  "use strict";
  const ALONG = { ArrowLeft: -1, ArrowRight: 1 };
  const ACROSS = { ArrowUp: -1, ArrowDown: 1 };

  return function keyboard(view, event) {
    if (event.key === "Escape") return view.select({ level: null, video: [], text: [] });
    const player = event.target.closest(".hbi-player");
    if (!player || event.altKey || event.ctrlKey || event.metaKey) return undefined;
    if (event.key === "Enter" || event.key === " ") {
      event.preventDefault();
      player.dispatchEvent(new MouseEvent("click", { bubbles: true, shiftKey: event.shiftKey }));
      return undefined;
    }
    const next = neighbourOf(view, player, event.key);
    if (!next) return undefined;
    event.preventDefault();
    for (const other of next.closest("section").querySelectorAll(".hbi-player")) {
      other.setAttribute("tabindex", other === next ? 0 : -1);
    }
    return next.focus();
  };

  /** The player beside one in its row, or at the same place of the row above or below. */
  function neighbourOf(view, player, key) {
    const rows = rowsOf(view);
    const here = rows.findIndex((row) => row.includes(player));
    const place = rows[here].indexOf(player);
    const last = rows[here].length - 1;
    if (key === "Home") return rows[here][0];
    if (key === "End") return rows[here][last];
    if (key in ALONG) return rows[here][place + ALONG[key]];
    if (!(key in ACROSS)) return undefined;
    const row = rows[here + ACROSS[key]];
    return row?.[Math.round((place / Math.max(last, 1)) * (row.length - 1))];
  }

  /** All rows of players, from the top. */
  function rowsOf({ drawings }) {
    return drawings.flatMap(({ element }) =>
      ["text", "video"].map((side) => [...element.querySelectorAll(`.hbi-player.hbi-${side}`)]),
    );
  }
})();
