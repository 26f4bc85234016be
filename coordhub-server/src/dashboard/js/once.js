/** Work that need not be under way twice. */

export class Once {
  #ended = false;
  /** What is under way. @type {Map<string, { again: boolean }>} */
  #under = new Map();

  end() {
    this.#ended = true;
  }

  /**
   * Does the work of that name, and does it again where it was asked for meanwhile. Where the hub does not answer it is
   * left; the next connection asks again.
   *
   * @param {string} name
   * @param {() => Promise<unknown>} work
   */
  async run(name, work) {
    const under = this.#under.get(name);
    if (under) {
      under.again = true;
      return;
    }
    const mine = { again: true };
    this.#under.set(name, mine);
    try {
      while (mine.again && !this.#ended) {
        mine.again = false;
        await work();
      }
    } catch {
      // The next connection asks again.
    } finally {
      this.#under.delete(name);
    }
  }
}
