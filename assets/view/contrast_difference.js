/* The difference of two explanations as a third one, whose players are those of both: what
 * hbi_core/figures/contrast_view.py draws, here. `data` is that of contrast_view.js.
 *
 * Its levels and players bring the words that are said of them: a player has `name` and `told`, and
 * whose it is alone as `owner`; a level has `told`, `sentences`, `partners` and `linkTold`.
 */
globalThis.hbi ??= {};

globalThis.hbi.difference = (() => {
  "use strict";
  const { shownLinks, wordsOf: readWords } = globalThis.hbi.links;
  const { signed, worthOf } = globalThis.hbi.reading;

  /** The explanation-like object that the difference view draws. */
  function explanationOf({ contrast }) {
    const { worth } = contrast.a;
    const { symbol } = worthOf({ worth });
    const inOne = ({ a, b }) => (a === null ? [contrast.b, b] : [contrast.a, a]);
    const frames = contrast.frames.map(inOne);
    return {
      caption: contrast.sentence,
      worth,
      words: contrast.words.map(inOne).map(([one, index]) => readWords(one)[index]),
      video: {
        thumbnails: frames.map(([one, index]) => one.video.thumbnails[index]),
        frame_times: frames.map(([one, index]) => one.video.frame_times[index]),
      },
      levels: contrast.levels.map((level) => levelOf(level, symbol)),
    };
  }

  function levelOf(level, symbol) {
    const wordsOf = (player) => inWords(player, symbol);
    const { video_players: videos, text_players: texts } = level;
    const [a, b] = [level.interactions_a, level.interactions_b];
    const interactions = a.map((row, video) => row.map((value, text) => value - b[video][text]));
    const values = (players) => players.map((player) => player.share_difference);
    return {
      name: level.name,
      score: level.score_difference,
      video_tokens: videos.map((player) => ({ frames: player.members, ...wordsOf(player) })),
      text_tokens: texts.map((player) => ({ words: player.members, text: player.label, ...wordsOf(player) })),
      interactions,
      similarity: interactions,
      values: { video: values(videos), text: values(texts) },
      told: `${symbol} ${signed(level.score_difference, 3)}`,
      sentences: [level.sentence, level.matching].filter(Boolean),
      partners: ["widest for A with", "widest for B with"],
      linkTold: (video, text) =>
        `interaction ${signed(a[video][text])} in A, ${signed(b[video][text])} in B; ` +
        `A − B ${signed(interactions[video][text])}`,
    };
  }

  const inWords = (player, symbol) => ({
    name: player.name,
    owner: player.a === null ? "b" : player.b === null ? "a" : null,
    told:
      `speaks for ${player.share_difference < 0 ? "B" : "A"}: part of ${symbol} ${signed(player.share_a)} in A, ` +
      `${signed(player.share_b)} in B, A − B ${signed(player.share_difference)}`,
  });

  /** The widest differences as links, the weakest first. */
  function linksOf(level, view, data) {
    const { lines, most, weakest } = data;
    const strengths = level.interactions.map((row) => row.map(Math.abs));
    const widest = {
      ...view,
      top: Math.min(view.top ?? most, most),
      threshold: Math.max(view.threshold, weakest),
      measure: "interaction",
      sign: "both",
      sides: false,
    };
    const links = shownLinks({ ...level, interactions: strengths }, widest, data);
    return links.map((link) => {
      const value = level.interactions[link.first][link.second];
      const grade = lines[value < 0 ? 1 : 0].find(({ least }) => link.share >= least);
      return { ...link, value, interaction: value, grade };
    });
  }

  /** The same players in another of the three, or null where it has none of them. */
  function selectionIn(contrast, { level: name, video, text }, from, to) {
    const level = contrast.levels.find((one) => one.name === name);
    const there = (side, indices) => {
      const players = [...(level?.[`${side}_players`].entries() ?? [])];
      const indexIn = ([place, player], which) => (which === "difference" ? place : player[which]);
      return players.flatMap((entry) =>
        indices.includes(indexIn(entry, from)) && indexIn(entry, to) !== null ? [indexIn(entry, to)] : [],
      );
    };
    return { level: name, video: there("video", video), text: there("text", text) };
  }

  /** For each player of A or B its index in the other, or null, by level. */
  function besideOf(contrast, own, other, pairs) {
    return Object.fromEntries(
      contrast.levels.map(({ name, video_players, text_players }) => {
        const level = contrast[other].levels.find((one) => one.name === name);
        const same = (players) => Object.fromEntries(players.map((player) => [player[own], player[other]]));
        const beside = { level, video: same(video_players), text: same(text_players), pairs: pairs?.[name] };
        return [name, beside];
      }),
    );
  }

  return { explanationOf, linksOf, selectionIn, besideOf };
})();
