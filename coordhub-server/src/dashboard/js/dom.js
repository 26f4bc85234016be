/**
 * Building what is shown, out of elements and text. Nothing here reads markup: what others
 * wrote only ever becomes text.
 */

/** @typedef {Node | string | number | null | undefined | false} Child */
/** @typedef {{ [name: string]: string | number | boolean | null | undefined | ((event: any) => void) }} Props */

/**
 * An element. A prop that is a function is a listener, `true` is an attribute without a value, and what is `null`,
 * `undefined` or `false` is left out.
 *
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} tag
 * @param {Props} [props]
 * @param {...Child} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function h(tag, props = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(props)) {
    if (typeof value === "function") {
      element.addEventListener(name.replace(/^on/, ""), value);
    } else {
      attribute(element, name, value);
    }
  }
  element.append(...children.filter(isShown));
  return element;
}

/** @param {Child} child @returns {child is Node | string} */
function isShown(child) {
  return child !== null && child !== undefined && child !== false && child !== "";
}

/**
 * Sets or removes an attribute, and leaves the document alone where nothing changes.
 *
 * @param {Element} element
 * @param {string} name
 * @param {string | number | boolean | null | undefined} value
 */
export function attribute(element, name, value) {
  if (value === null || value === undefined || value === false) {
    element.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (element.getAttribute(name) !== text) {
    element.setAttribute(name, text);
  }
}

/**
 * Sets the text of an element, and leaves it alone where it is right: a screen reader speaks what changes.
 *
 * @param {Element} element
 * @param {string} value
 */
export function text(element, value) {
  if (element.textContent !== value) {
    element.textContent = value;
  }
}

/** @param {Element} element @param {...Child} children */
export function fill(element, ...children) {
  element.replaceChildren(...children.filter(isShown));
}

/**
 * A row of a list: its element, and how it follows what it shows.
 *
 * @template T
 * @typedef {{ element: HTMLElement, update: (item: T) => void }} Row
 */

/**
 * A list whose rows live as long as what they show, so that focus and half-written text survive a change elsewhere.
 *
 * @template T
 */
export class Rows {
  /** @type {Map<string, Row<T>>} */
  #rows = new Map();

  /**
   * @param {HTMLElement} container
   * @param {(item: T) => string} key
   * @param {(item: T) => Row<T>} make
   */
  constructor(container, key, make) {
    this.container = container;
    this.key = key;
    this.make = make;
    container.tabIndex = -1;
  }

  /** @param {T[]} items */
  show(items) {
    const kept = new Set(items.map(this.key));
    const focused = document.activeElement;
    const hadFocus = this.container.contains(focused);
    for (const [key, row] of this.#rows) {
      if (!kept.has(key)) {
        row.element.remove();
        this.#rows.delete(key);
      }
    }
    let next = this.container.firstElementChild;
    for (const item of items) {
      const row = this.#row(item);
      row.update(item);
      if (row.element === next) {
        next = next.nextElementSibling;
      } else {
        this.container.insertBefore(row.element, next);
      }
    }
    // Moving an element takes the focus from it, and so does removing it: the list is then the place to go on from.
    if (hadFocus && document.activeElement === document.body) {
      const left = focused instanceof HTMLElement && this.container.contains(focused) ? focused : this.container;
      left.focus({ preventScroll: true });
    }
  }

  /** @param {T} item */
  #row(item) {
    const key = this.key(item);
    const row = this.#rows.get(key) ?? this.make(item);
    this.#rows.set(key, row);
    return row;
  }
}
