/* Draws one level: its players, their values, their links. Everything that is drawn has the name of
 * the coalition graph as its data-id.
 */
globalThis.hbi ??= {};

globalThis.hbi.drawing = (() => {
  "use strict";
  const { layOutLevel, pathOf, middleOf, BARS } = globalThis.hbi.layout;
  const { isFaded, classOf } = globalThis.hbi.links;
  const { svg, dashes } = globalThis.hbi.elements;
  const LINE_SCALE = 1.5; // pixels per point of a grade's width
  const NEAR = 9; // pixels from a line to a pointer that means it

  /** The picture of a level: {element, layout, links}, nothing of it chosen. */
  function drawLevel(level, data, view, setting, links) {
    const layout = layOutLevel(level, data, setting, view.sides);
    const faded = (player) => view.fade && player.side === "text" && isFaded(player.token, data);
    const fadedWords = view.fade ? data.faded_words : [];
    const lines = links.map((link) => {
      const player = link.kind === "cross" ? layout.text.players[link.second] : null;
      return drawLink(link, layout, player !== null && faded(player));
    });
    const bars = barScaleOf(level, data.beside?.[level.name].level);
    const players = ["text", "video"].map((side) => {
      const drawn = layout[side].players.map((player) =>
        drawPlayer(player, level, data, setting, bars, faded(player), fadedWords),
      );
      const merged = layout[side].boxed ? " hbi-merged" : "";
      return svg("g", { class: `hbi-row${merged}`, "data-side": side }, ...drawn);
    });
    const marks = svg("g", { class: "hbi-marks", "aria-hidden": "true" });
    const element = svg(
      "svg",
      {
        class: "hbi-picture",
        viewBox: `0 0 ${layout.width} ${layout.height}`,
        width: layout.width,
        height: layout.height,
        role: "group",
        "aria-label": globalThis.hbi.reading.pictureLabel(level, links, data, view),
      },
      svg("g", { class: "hbi-links", "aria-hidden": "true" }, ...lines),
      ...players,
      marks,
    );
    return { element, layout, links, level };
  }

  function drawLink(link, layout, faded) {
    const { x1, y1, x2, y2, bend } = pathOf(link, layout);
    const path =
      bend === undefined
        ? `M${x1} ${y1}L${x2} ${y2}`
        : `M${x1} ${y1}C${x1} ${y1 + bend} ${x2} ${y2 + bend} ${x2} ${y2}`;
    const { name, colour, width, opacity, dotted } = link.grade;
    return svg("path", {
      class: `hbi-link hbi-${name}${faded ? " hbi-faded" : ""}`,
      "data-id": link.id,
      "data-ends": link.ends.join(" "),
      d: path,
      stroke: colour,
      "stroke-width": width * LINE_SCALE,
      "stroke-opacity": opacity,
      ...dashes(dotted, width * LINE_SCALE),
    });
  }

  function drawPlayer(player, level, data, setting, bars, faded, fadedWords) {
    const { id, side, cells } = player;
    const box = svg("rect", {
      class: "hbi-box",
      x: player.left,
      y: player.top,
      width: player.width,
      height: player.height,
      rx: 4,
    });
    const inside = cells.map((cell) =>
      side === "text" ? drawWord(cell, setting, fadedWords.includes(cell.member)) : drawFrame(cell, data),
    );
    const value = level.values?.[side][player.index];
    return svg(
      "g",
      {
        class: classOf(player.token, side, faded),
        "data-id": id,
        role: "button",
        tabindex: -1,
        "aria-pressed": "false",
        "aria-label": globalThis.hbi.reading.playerLabel(level, side, player.index, data),
      },
      box,
      ...inside,
      ...(value === undefined ? [] : [drawBar(player, value, bars)]),
    );
  }

  function drawWord({ member, left, top, width, height }, { labels, turned, font }, faded) {
    const x = left + width / 2;
    const place = turned
      ? { x: 0, y: 0, transform: `translate(${x} ${top + height - 5}) rotate(-90)` }
      : { x, y: top + height / 2, "text-anchor": "middle" };
    const style = { class: `hbi-word${faded ? " hbi-faded" : ""}`, "dominant-baseline": "central", "font-size": font };
    return svg("text", { ...place, ...style }, labels[member]);
  }

  function drawFrame({ member, left, top, width, height }, data) {
    return svg("image", {
      href: data.explanation.video.thumbnails[member],
      "data-frame": member,
      x: left + 2,
      y: top,
      width: width - 4,
      height,
      preserveAspectRatio: "xMidYMid slice",
    });
  }

  /** How values of a level become heights: both sides alike, negative ones below the line; and those of
   * the level beside it. */
  function barScaleOf(...levels) {
    const values = levels.flatMap((level) => (level?.values ? [...level.values.video, ...level.values.text] : []));
    const highest = Math.max(0, ...values);
    const lowest = Math.min(0, ...values);
    const scale = (BARS - 6) / Math.max(highest - lowest, 1e-12);
    return { scale, zero: 3 + highest * scale };
  }

  function drawBar(player, value, { scale, zero }) {
    const width = Math.min(20, player.width - 4);
    const middle = middleOf(player);
    const zeroLine = player.barTop + zero;
    const height = Math.max(Math.abs(value) * scale, 0.75);
    return svg(
      "g",
      { class: "hbi-value" },
      svg("rect", {
        class: value < 0 ? "hbi-bar hbi-below" : "hbi-bar",
        x: middle - width / 2,
        y: value < 0 ? zeroLine : zeroLine - height,
        width,
        height,
      }),
      svg("line", {
        class: "hbi-zero",
        x1: middle - width / 2 - 3,
        x2: middle + width / 2 + 3,
        y1: zeroLine,
        y2: zeroLine,
      }),
    );
  }

  /** Numbers at the ends of links, so that what is chosen can be read off. */
  function drawNumbers(drawing, links, side) {
    const marks = drawing.element.querySelector(".hbi-marks");
    marks.replaceChildren();
    for (const link of links) {
      const player = drawing.layout[side].players[side === "text" ? link.second : link.first];
      const text = globalThis.hbi.reading.signed(link.value);
      const length = 6.4 * text.length + 6;
      const y = side === "text" ? drawing.layout.text.bottom + 10 : drawing.layout.video.top - 10;
      const turned = player.width < length;
      const shift = side === "text" ? length / 2 - 8 : 8 - length / 2;
      const place = `translate(${middleOf(player)} ${y + (turned ? shift : 0)})`;
      const back = svg("rect", { x: -length / 2, y: -8, width: length, height: 16, rx: 3 });
      const style = { "text-anchor": "middle", "dominant-baseline": "central" };
      const turn = { class: "hbi-number", transform: place + (turned ? " rotate(-90)" : "") };
      marks.append(svg("g", turn, back, svg("text", style, text)));
    }
  }

  /** The link that a pointer means: the nearest one that is drawn, or null. */
  function linkAt(drawing, event) {
    const box = drawing.element.getBoundingClientRect();
    const scale = drawing.layout.width / box.width;
    const [x, y] = [(event.clientX - box.left) * scale, (event.clientY - box.top) * scale];
    const { text, video } = drawing.layout;
    if (y < text.bottom || y > video.top) return null;
    let nearest = null;
    let least = NEAR;
    for (const link of drawing.links) {
      if (link.kind !== "cross") continue;
      const { x1, y1, x2, y2 } = pathOf(link, drawing.layout);
      const along = (y - y1) / (y2 - y1);
      const slope = Math.hypot(x2 - x1, y2 - y1) / (y2 - y1);
      const distance = Math.abs(x1 + along * (x2 - x1) - x) / slope;
      if (distance <= least) [nearest, least] = [link, distance]; // later ones lie on top
    }
    return nearest;
  }

  return { drawLevel, drawNumbers, linkAt };
})();
