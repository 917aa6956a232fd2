// How long a view lives: what it started ends with it.

export class Life {
  #ends = [];
  #abort = new AbortController();

  /** Aborted at the end. */
  get signal() {
    return this.#abort.signal;
  }

  get over() {
    return this.#abort.signal.aborted;
  }

  /** Calls at the end. */
  end(action) {
    if (this.over) action();
    else this.#ends.push(action);
  }

  /** Calls again and again while the page can be seen; at once, too. */
  every(milliseconds, action) {
    const run = () => {
      if (!document.hidden) action();
    };
    run();
    const timer = setInterval(run, milliseconds);
    this.end(() => clearInterval(timer));
  }

  close() {
    this.#abort.abort();
    for (const action of this.#ends.splice(0).reverse()) action();
  }
}

/** Waits, unless the signal comes first. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, milliseconds);
    signal?.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
  });
}
