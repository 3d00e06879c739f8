/* Elements of the page and of pictures. */
globalThis.hbi ??= {};

globalThis.hbi.elements = (() => {
  "use strict";
  const SVG = "http://www.w3.org/2000/svg";

  const filled = (element, attributes, children) => {
    for (const [name, value] of Object.entries(attributes)) {
      if (typeof value === "boolean") element.toggleAttribute(name, value);
      else element.setAttribute(name, value);
    }
    element.append(...children);
    return element;
  };

  /** An element with attributes (true and false set and leave out), texts and elements in it. */
  const html = (name, attributes = {}, ...children) =>
    filled(document.createElement(name), attributes, children);

  const svg = (name, attributes = {}, ...children) =>
    filled(document.createElementNS(SVG, name), attributes, children);

  /** The attribute of a line of this width that is dotted, so that wide ones are seen to be. */
  const dashes = (dotted, width) =>
    dotted ? { "stroke-dasharray": `${Math.max(2, 1.2 * width)} ${Math.max(3, 2.4 * width)}` } : {};

  /** An element that answers an event. */
  const on = (type, act, element) => {
    element.addEventListener(type, act);
    return element;
  };

  /** Tell those who listen to an element, or to what it is in. */
  const send = (element, name, detail) =>
    element.dispatchEvent(new CustomEvent(name, { detail, bubbles: true }));

  return { html, svg, dashes, on, send };
})();
