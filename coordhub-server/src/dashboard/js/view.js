/** What all views have in common: they are built once, and follow the session from then on. */

/** @typedef {import("./session.js").Session} Session */

/** @type {Set<View>} */
const views = new Set();

export class View extends HTMLElement {
  #built = false;

  connectedCallback() {
    if (!this.#built) {
      this.#built = true;
      this.build();
    }
    views.add(this);
  }

  disconnectedCallback() {
    views.delete(this);
  }

  /** Makes the parts that stay. */
  build() {}

  /**
   * Follows the session; `null` where nobody has signed in.
   *
   * @param {Session | null} _session
   */
  render(_session) {}

  /** Whom the person acts as. Buttons are only there while somebody has signed in. */
  get session() {
    if (!current) {
      throw new Error("nobody has signed in");
    }
    return current;
  }
}

/** @type {Session | null} */
let current = null;
let due = false;

/** Whose session the views follow from now on. @param {Session | null} session */
export function follow(session) {
  current = session;
  session?.store.onChange(renderSoon);
  renderSoon();
}

/** Renders what changed, many changes at once. */
export function renderSoon() {
  if (due) {
    return;
  }
  due = true;
  // A page that nobody sees gets no frames, yet its title still counts what is unread.
  const later = document.hidden ? (/** @type {() => void} */ work) => setTimeout(work, 100) : requestAnimationFrame;
  later(() => {
    due = false;
    views.forEach((view) => view.render(current));
  });
}
