/* The games of tokens in the browser, in float64: what explainers/game.py, multilinear.py and
 * closed_forms.py compute, for one game and any set of its players.
 *
 * Let every player p join independently with probability x_p. The members A of the video side and B
 * of the text side are independent, so that the mean value of the random coalition is bilinear in
 * what is known of each side alone:
 *
 *     φ̄(x) = ½ [ Σ_v E[ω_v(A)] · E[max_{t∈B} a[v,t]]  +  Σ_t E[ω_t(B)] · E[max_{v∈A} a[v,t]] ]
 *
 * That is the similarity; in the game of an answer ("bilinear") a token matches the other side by the
 * weighted mean instead of the maximum, E[Σ_{t∈B} ω_t(B) a[v,t]].
 *
 * φ̄ is linear in each x_p. At x = ½ its first differences are the Banzhaf values of players, its
 * mixed differences their interactions; x_p = 0 leaves a player out, and at zeros and ones φ̄ is φ.
 *
 * A set of players is {video: [index, ..], text: [index, ..]}. The sides are "video" and "text".
 */
globalThis.hbi ??= {};

globalThis.hbi.game = (() => {
  "use strict";

  const WEIGHTINGS = ["renormalised", "fixed"];
  const KINDS = ["similarity", "bilinear"];
  // The quadrature of `rates`, as in explainers/multilinear.py: a trapezoidal rule in log τ.
  const STEP = 0.3;
  const LOWEST_LOG_TAU = -32;
  const HIGHEST_LOG_TAU = 3.6;
  const LARGEST_GAP = 40; // between neighbouring logits; beyond it a weight is rounding to the other
  const LARGEST_EXPONENT = 7; // exp(-exp(7)) is 0

  /** The game of a level of explanation.json. Throws RangeError for an unknown weighting or kind. */
  function tokenGame(level, weighting, kind = KINDS[0]) {
    if (!WEIGHTINGS.includes(weighting)) {
      throw new RangeError(`weighting is ${weighting}; it must be one of ${WEIGHTINGS}`);
    }
    if (!KINDS.includes(kind)) {
      throw new RangeError(`the game is ${kind}; it must be one of ${KINDS}`);
    }
    const { similarity, video_logits, text_logits } = level;
    const columns = text_logits.map((_, text) => similarity.map((row) => row[text]));
    return Object.freeze({
      video: sideOf(video_logits, columns, weighting, kind),
      text: sideOf(text_logits, similarity, weighting, kind),
    });
  }

  /** One side. `rows` are its similarities, or values, with each player of the other side. */
  function sideOf(logits, rows, weighting, kind) {
    const ranked = (row) => [...row.keys()].sort((one, other) => row[other] - row[one]);
    const fixed = weighting === "fixed";
    const rate = fixed ? null : rates(logits);
    return Object.freeze({
      players: logits.length,
      rows,
      order: kind === "bilinear" ? null : rows.map(ranked), // the most similar first
      share: fixed ? softmax(logits) : null,
      rate,
      decay: fixed ? null : rate.map((nodes) => nodes.map((value) => Math.exp(-value))),
    });
  }

  function softmax(logits) {
    const peak = Math.max(...logits);
    const weights = logits.map((logit) => Math.exp(logit - peak));
    const total = sum(weights);
    return weights.map((weight) => weight / total);
  }

  /** w_v τ on the nodes τ of a quadrature: ∫ w_v f(τ) dτ = STEP · Σ_k (w_v τ_k) f(τ_k). */
  function rates(logits) {
    const relative = withoutGaps(logits);
    const spread = -Math.min(...relative);
    const nodes = Math.ceil((HIGHEST_LOG_TAU + spread + STEP - LOWEST_LOG_TAU) / STEP);
    return relative.map((logit) =>
      Float64Array.from({ length: nodes }, (_, node) =>
        Math.exp(Math.min(logit + LOWEST_LOG_TAU + node * STEP, LARGEST_EXPONENT)),
      ),
    );
  }

  /** Logits relative to the largest, with gaps between neighbours that are too wide to matter cut. */
  function withoutGaps(logits) {
    const ranked = [...logits.keys()].sort((one, other) => logits[other] - logits[one]);
    const relative = new Array(logits.length).fill(0);
    for (let rank = 1; rank < ranked.length; rank += 1) {
      const [above, here] = [ranked[rank - 1], ranked[rank]];
      relative[here] = relative[above] - Math.min(logits[above] - logits[here], LARGEST_GAP);
    }
    return relative;
  }

  /** What a side contributes where its players join with probabilities x: `weight` are the means of
   * ω of its players, `match` those of how each row matches them; both 0 where nobody joins. */
  function means(side, x) {
    const fixed = side.share?.map((share, player) => share * x[player]);
    const weight = fixed ?? renormalised(side, x);
    return { weight, match: side.order ? maxima(side, x) : side.rows.map((row) => dot(row, weight)) };
  }

  /** E[ω_v(A)] = x_v ∫ w_v e^(-w_v τ) Π_{u≠v} (1 - x_u + x_u e^(-w_u τ)) dτ, from 1/W = ∫ e^(-Wτ) dτ. */
  function renormalised({ rate, decay }, x) {
    const product = new Float64Array(rate[0].length).fill(1);
    decay.forEach((nodes, player) => {
      if (x[player] === 0) return;
      for (let node = 0; node < product.length; node += 1) {
        product[node] *= 1 - x[player] + x[player] * nodes[node];
      }
    });
    return rate.map((nodes, player) => {
      const joins = x[player];
      if (joins === 0) return 0;
      let integral = 0;
      for (let node = 0; node < product.length; node += 1) {
        const gone = decay[player][node]; // 0 at the far end, where 0 / 0 would stand for 1
        const own = joins === 1 ? 1 : gone / (1 - joins + joins * gone);
        integral += nodes[node] * own * product[node];
      }
      return joins * STEP * integral;
    });
  }

  /** E[max over the members] in each row: a player is the maximum if it joins and none above does. */
  function maxima({ rows, order }, x) {
    return rows.map((row, index) => {
      let mean = 0;
      let noneAbove = 1;
      for (const player of order[index]) {
        mean += row[player] * x[player] * noneAbove;
        noneAbove *= 1 - x[player];
      }
      return mean;
    });
  }

  /** φ̄ of the means of both sides; bilinear, so that it takes differences of means, too. */
  function together(video, text) {
    return 0.5 * (dot(video.weight, text.match) + dot(text.weight, video.match));
  }

  /** What the means of a side gain when one player joins for certain. */
  function gain(side, x, player) {
    const [present, absent] = [1, 0].map((joins) => means(side, x.with(player, joins)));
    const less = (name) => present[name].map((value, index) => value - absent[name][index]);
    return { weight: less("weight"), match: less("match") };
  }

  /** With which probability each player of a side joins: this one for those of a set, 0 for others. */
  function joining(side, indices, probability) {
    const x = new Array(side.players).fill(0);
    for (const player of indices) x[player] = probability;
    return x;
  }

  /** All players of a game, as a set. */
  function everyone(game) {
    const all = (side) => Array.from({ length: side.players }, (_, player) => player);
    return { video: all(game.video), text: all(game.text) };
  }

  /** φ of a set of players, Eq. 1 restricted to them for a similarity; 0 where a side has none. */
  function value(game, members) {
    const of = (name) => means(game[name], joining(game[name], members[name], 1));
    return together(of("video"), of("text"));
  }

  /** Exact Banzhaf values and interactions of the game that only the players of `kept` play.
   *
   * Its coalitions are those of `kept`, with the values that they have in the game: fixed weights
   * are shares of all tokens, those left out among them.
   *
   * Returns {values: [V][T], playerValues: {video: [V], text: [T]}}, null where one is left out.
   */
  function closedForm(game, kept = everyone(game)) {
    const sides = Object.fromEntries(
      ["video", "text"].map((name) => {
        const x = joining(game[name], kept[name], 0.5);
        const gains = x.map((half, player) => half && gain(game[name], x, player));
        return [name, { mean: means(game[name], x), gains }];
      }),
    );
    const { video, text } = sides;
    const orNull = (one, compute) => (one ? compute(one) : null);
    return {
      values: video.gains.map((frame) =>
        text.gains.map((word) => (frame && word ? together(frame, word) : null)),
      ),
      playerValues: {
        video: video.gains.map((gains) => orNull(gains, (one) => together(one, text.mean))),
        text: text.gains.map((gains) => orNull(gains, (one) => together(video.mean, one))),
      },
    };
  }

  /** The Banzhaf interaction of a whole set in the game that only the players of `kept` play: what
   * it gains by acting together (HBI, App. B.4). Members that are left out do not count; 0 for fewer
   * than two. */
  function coalitionInteraction(game, members, kept = everyone(game)) {
    const inside = (name) => members[name].filter((player) => kept[name].includes(player));
    const set = { video: inside("video"), text: inside("text") };
    const at = (name, present) => {
      const x = joining(game[name], kept[name], 0.5);
      for (const player of set[name]) x[player] = present.includes(player) ? 1 : 0;
      return means(game[name], x);
    };
    const without = { video: at("video", []), text: at("text", []) };
    const none = together(without.video, without.text);
    const alone = [
      ...set.video.map((player) => together(at("video", [player]), without.text)),
      ...set.text.map((player) => together(without.video, at("text", [player]))),
    ];
    const all = together(at("video", set.video), at("text", set.text));
    return all - none - sum(alone.map((one) => one - none));
  }

  function dot(one, other) {
    return sum(one.map((value, index) => value * other[index]));
  }

  function sum(values) {
    return values.reduce((total, value) => total + value, 0);
  }

  return Object.freeze({ tokenGame, everyone, value, closedForm, coalitionInteraction });
})();
