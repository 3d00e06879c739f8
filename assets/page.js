/* What the page does without the server: its address, and videos that the browser cannot play. */
"use strict";

globalThis.hbiPage = (() => {
  const NOTE = "codec-note";
  const SHOWN_FRAMES = 6;
  const asked = new URLSearchParams(location.search); // before anything is written there

  const openTab = () =>
    document.querySelector("#tabs button[role=tab][aria-selected=true]")?.id.replace(/-button$/, "");

  /** The address of the page with this query and the open tab; the browser shows it too. */
  function address(query) {
    const url = new URL(location.href);
    const theme = url.searchParams.get("__theme");
    url.search = query;
    const tab = openTab();
    if (tab && tab !== "graphs") url.searchParams.set("tab", tab);
    if (theme) url.searchParams.set("__theme", theme);
    history.replaceState(null, "", url);
    return url.href;
  }

  /** As `address`, and into the clipboard, where the browser lets a page do so. */
  function copied(query) {
    const link = address(query);
    navigator.clipboard?.writeText(link).catch(() => {});
    return link;
  }

  const figure = () => document.querySelector("#figure .hbi-figure")?.hbiView;

  /** The view of the figure, once it shows something, and something else than these data. */
  function whenDrawn(act, data = undefined, attempts = 1200) {
    const view = figure();
    if (view?.data && view.data !== data) act(view);
    else if (attempts) setTimeout(() => whenDrawn(act, data, attempts - 1), 100);
  }

  /** What the address asks once its values are there: filters (JSON), a tab, the explanation. */
  function opened(filters) {
    const tab = asked.get("tab");
    if (tab) document.getElementById(`${tab}-button`)?.click();
    const shown = filters ? JSON.parse(filters) : null;
    const explains = asked.has("explain");
    if (shown) whenDrawn((view) => view.setView(explains ? { ...shown, left_out: [] } : shown));
    // Who is left out is known by number, of the explanation that is asked for.
    if (shown?.left_out.length && explains) whenDrawn((view) => view.setView(shown), figure()?.data);
    if (explains) document.querySelector("#explain").click();
  }

  /** The frames that the figure shows stand in for a video that does not play. */
  function frames() {
    const pictures = document.querySelectorAll("#figure image, #figure img");
    const sources = [...pictures].map((one) => one.getAttribute("href") ?? one.src);
    const different = [...new Set(sources)].filter((source) => source.startsWith("data:image/"));
    const step = Math.max(1, different.length / SHOWN_FRAMES);
    return different.filter((_, index) => Math.floor(index % step) === 0).slice(0, SHOWN_FRAMES);
  }

  function note() {
    const found = document.getElementById(NOTE);
    if (found) return found;
    const made = document.createElement("div");
    made.id = NOTE;
    made.setAttribute("role", "status");
    document.querySelector("#video").append(made);
    return made;
  }

  /** Say why the picture is missing, and show the frames that the server has read. */
  function cannotPlay() {
    const text = document.createElement("p");
    text.textContent =
      "This browser has no decoder for the video, so it does not play here. It is explained all " +
      "the same: the server has its own, and the frames that it looks at stand in once you press " +
      "Explain. To play it, save it as MP4 with H.264.";
    const pictures = frames().map((source) => {
      const picture = document.createElement("img");
      picture.src = source;
      picture.alt = "";
      return picture;
    });
    note().replaceChildren(text, ...pictures);
  }

  const isOurs = (element) => element instanceof HTMLVideoElement && element.closest("#video");

  /** Watch the player, whichever element gradio makes for it. */
  function watchPlayer() {
    document.addEventListener(
      "error",
      ({ target }) => isOurs(target) && target.currentSrc && cannotPlay(),
      true,
    );
    document.addEventListener(
      "loadedmetadata",
      ({ target }) => {
        if (!isOurs(target)) return;
        if (target.videoWidth) document.getElementById(NOTE)?.remove();
        else cannotPlay();
      },
      true,
    );
    document.addEventListener("emptied", ({ target }) => {
      if (isOurs(target)) document.getElementById(NOTE)?.remove();
    }, true);
  }

  /** The figure is another one: so are the frames that stand in. */
  function redrawn() {
    if (document.getElementById(NOTE)) setTimeout(cannotPlay, 500);
  }

  watchPlayer();
  return { address, copied, opened, redrawn };
})();
