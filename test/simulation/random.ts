/** Chance that can be repeated: the same seed makes the same choices in the same order. */
export interface Random {
  /** From 0 up to, but without, `below`. */
  int(below: number): number;
  /** From `from` to `to`, both included. */
  between(from: number, to: number): number;
  /** True once in `times`. */
  once(times: number): boolean;
  /** @param options at least one */
  pick<T>(options: readonly T[]): T;
}

/** mulberry32: 32 bits of state are plenty for a test. */
export function randomOf(seed: number): Random {
  let state = seed >>> 0;
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const int = (below: number) => Math.floor(next() * below);
  return {
    int,
    between: (from, to) => from + int(to - from + 1),
    once: (times) => int(times) === 0,
    pick: (options) => options[int(options.length)] as (typeof options)[number],
  };
}
