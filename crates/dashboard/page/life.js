// How long a view lives: what it started ends with it.

export class Life {
  #ends = new Set();
  #abort = new AbortController();

  /** Aborted at the end. */
  get signal() {
    return this.#abort.signal;
  }

  get over() {
    return this.#abort.signal.aborted;
  }

  /** Calls at the end; gives what forgets it, for what ends earlier. */
  end(action) {
    if (this.over) action();
    else this.#ends.add(action);
    return () => this.#ends.delete(action);
  }

  /** Gives what calls an action soon, and once for all wishes until then. */
  soon(milliseconds, action) {
    let timer = 0;
    this.end(() => clearTimeout(timer));
    return () => {
      if (timer || this.over || document.hidden) return;
      timer = setTimeout(() => {
        timer = 0;
        action();
      }, milliseconds);
    };
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
    for (const action of [...this.#ends].reverse()) action();
    this.#ends.clear();
  }
}

/** Waits, unless the signal comes first. */
export function sleep(milliseconds, signal) {
  return new Promise((resolve) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      resolve();
    };
    const timer = setTimeout(end, milliseconds);
    signal?.addEventListener("abort", end);
  });
}
