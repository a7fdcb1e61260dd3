interface Entry {
  readonly id: string;
  readonly at: number;
}

/** What is due when: ids in the order of their times, each once. */
export class Agenda {
  readonly #entries: Entry[] = [];
  readonly #times = new Map<string, number>();

  /** Puts an id where it belongs now; without a time it goes. */
  set(id: string, at: number | undefined): void {
    const before = this.#times.get(id);
    if (before === at) return;
    if (before !== undefined) this.#entries.splice(this.#place({ id, at: before }), 1);
    if (at === undefined) {
      this.#times.delete(id);
      return;
    }
    this.#entries.splice(this.#place({ id, at }), 0, { id, at });
    this.#times.set(id, at);
  }

  /** The earliest time; infinite if there is none. */
  next(): number {
    return this.#entries[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  /** Those due by a time, earliest first. */
  until(time: number): string[] {
    const due: string[] = [];
    for (const { id, at } of this.#entries) {
      if (at > time) break;
      due.push(id);
    }
    return due;
  }

  /** How many entries come before one. */
  #place({ id, at }: Entry): number {
    let low = 0;
    let high = this.#entries.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const entry = this.#entries[middle] as Entry;
      if (entry.at < at || (entry.at === at && entry.id < id)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
