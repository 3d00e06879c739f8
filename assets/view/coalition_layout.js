/* Where the players of a level stand in a picture of a given width, in pixels from the top left:
 * a row of words, their values, lines, a row of frames, their values.
 */
globalThis.hbi ??= {};

globalThis.hbi.layout = (() => {
  "use strict";
  const { playerId, membersOf } = globalThis.hbi.links;

  const FONT = 15;
  const SMALLEST_FONT = 11; // smaller words are turned
  const FAMILY = "system-ui, -apple-system, 'Segoe UI', 'Noto Sans', sans-serif";
  const LONGEST_LABEL = 18; // characters
  const MARGIN = 2;
  const GAP = 18; // between what was merged
  const PAD = 5; // between a box and what is in it
  const MOST_GAPS = 0.3; // of the width, where words are turned
  const BARS = 22; // height of the values
  const LINKS = 150;
  const ARCS = 70;
  const WIDEST_FRAME = 150;

  const shortened = (label) =>
    label.length > LONGEST_LABEL ? `${label.slice(0, LONGEST_LABEL - 1)}…` : label;

  let context = null;
  /** Width of a text of a size of 1 pixel. */
  function emsOf(label) {
    context ??= document.createElement("canvas").getContext("2d");
    context.font = `100px ${FAMILY}`;
    return context.measureText(label).width / 100;
  }

  /** How all levels set their words: as wide as they must be where they are merged. */
  function settingOf(data, width) {
    const { levels } = data.explanation;
    const labels = globalThis.hbi.links.wordsOf(data.explanation).map(shortened);
    const gapsOf = (level) => merges(level.text_tokens) * level.text_tokens.length;
    const gaps = Math.max(...levels.map(gapsOf)) * (GAP + 2 * PAD);
    const room = width - 2 * MARGIN - gaps;
    const ems = labels.map((label) => emsOf(label) + 0.75);
    const rows = levels.map(({ text_tokens }) => text_tokens.flatMap(membersOf));
    const total = Math.max(...rows.map((row) => row.reduce((sum, word) => sum + ems[word], 0)));
    const turned = room / total < SMALLEST_FONT;
    const most = Math.max(...rows.map((row) => row.length));
    const tight = turned && gaps > 0 ? Math.min(1, (MOST_GAPS * width) / gaps) : 1;
    const turnedRoom = width - 2 * MARGIN - tight * gaps;
    const font = turned ? Math.min(13, turnedRoom / most / 1.2) : Math.min(FONT, room / total);
    const longest = Math.max(...labels.map(emsOf));
    return {
      width,
      labels,
      turned,
      font,
      gap: tight * GAP,
      pad: tight * PAD,
      widths: ems.map((em) => (turned ? font * 1.2 : em * font)),
      height: turned ? longest * font + 10 : 26,
    };
  }

  /** Whether some of these players stand for several words or frames. */
  const merges = (tokens) => tokens.some((token) => membersOf(token).length > 1);

  /** The rectangles of one level's players, and how high its picture is. */
  function layOutLevel(level, data, setting, sides) {
    const textBoxed = merges(level.text_tokens);
    const videoBoxed = merges(level.video_tokens);
    const frames = level.video_tokens.flatMap(membersOf).length;
    const top = sides ? ARCS : 2;
    const pad = textBoxed ? setting.pad : 0;
    const text = layOutRow(level, "text", level.text_tokens, {
      widths: setting.widths,
      width: setting.width,
      gap: textBoxed ? setting.gap : 0,
      pad,
      top: top + pad,
      height: setting.height,
      stretch: true,
    });
    const textBottom = top + setting.height + BARS + 2 * pad;
    const videoPad = videoBoxed ? PAD : 0;
    const gaps = videoBoxed ? (level.video_tokens.length - 1) * GAP : 0;
    const pads = 2 * videoPad * level.video_tokens.length;
    const cell = (setting.width - 2 * MARGIN - gaps - pads) / frames;
    const frame = Math.min(cell, WIDEST_FRAME);
    const video = layOutRow(level, "video", level.video_tokens, {
      widths: data.explanation.video.frame_times.map(() => frame),
      width: setting.width,
      gap: videoBoxed ? GAP : 0,
      pad: videoPad,
      top: textBottom + LINKS + videoPad,
      height: frame * data.aspect,
      stretch: false,
    });
    const videoBottom = textBottom + LINKS + 2 * videoPad + frame * data.aspect + BARS;
    return {
      name: level.name,
      width: setting.width,
      height: videoBottom + (sides ? ARCS : 2),
      text: { players: text, top, bottom: textBottom, boxed: textBoxed },
      video: { players: video, top: textBottom + LINKS, bottom: videoBottom, boxed: videoBoxed },
    };
  }

  /** Groups of cells side by side; spare room goes between them, or into the words. */
  function layOutRow(level, side, tokens, row) {
    const taken = tokens.flatMap(membersOf).reduce((sum, member) => sum + row.widths[member], 0);
    const cells = tokens.flatMap(membersOf).length;
    const fixed = row.gap * (tokens.length - 1) + 2 * row.pad * tokens.length;
    const spare = Math.max(0, row.width - 2 * MARGIN - taken - fixed);
    const extra = row.stretch ? spare / cells : 0;
    const between = row.stretch || tokens.length < 2 ? 0 : spare / (tokens.length - 1);
    let x = MARGIN + (row.stretch || tokens.length > 1 ? 0 : spare / 2);
    return tokens.map((token, index) => {
      const left = x;
      x += row.pad;
      const members = membersOf(token).map((member) => {
        const width = row.widths[member] + extra;
        const place = { member, left: x, top: row.top, width, height: row.height };
        x += width;
        return place;
      });
      x += row.pad;
      const player = {
        id: playerId(level.name, side, index),
        side,
        index,
        token,
        cells: members,
        left,
        top: row.top - row.pad,
        width: x - left,
        height: row.height + BARS + 2 * row.pad,
        barTop: row.top + row.height,
      };
      x += row.gap + between;
      return player;
    });
  }

  const middleOf = (player) => player.left + player.width / 2;

  /** The line of a link: from the words down to the frames, or an arc within a side. */
  function pathOf(link, layout) {
    if (link.kind === "cross") {
      const x1 = middleOf(layout.text.players[link.second]);
      const x2 = middleOf(layout.video.players[link.first]);
      return { x1, y1: layout.text.bottom, x2, y2: layout.video.top };
    }
    const row = layout[link.kind];
    const y = link.kind === "text" ? row.top : row.bottom;
    const [x1, x2] = [link.first, link.second].map((index) => middleOf(row.players[index]));
    const depth = Math.min(ARCS - 8, 14 + Math.abs(x2 - x1) / 7) * (link.kind === "text" ? -1 : 1);
    return { x1, y1: y, x2, y2: y, bend: 2 * depth * (2 / 3) };
  }

  return { settingOf, layOutLevel, pathOf, middleOf, shortened, BARS, FAMILY };
})();
