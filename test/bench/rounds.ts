/**
 * Measures several things side by side.
 *
 * 1. Each round does everything once, so that whatever disturbs the machine for a while disturbs all of it.
 * 2. Every other round goes backwards: nothing is always the one after the expensive one.
 */
export type Timings<Name extends string> = Readonly<Record<Name, readonly number[]>>;

export interface Rounds {
  readonly rounds: number;
  /** Rounds before, that do not count. */
  readonly warmUps: number;
  /** Checked before each measurement. */
  readonly signal: AbortSignal;
}

/** Milliseconds of each measurement, by name and in order. */
export async function interleave<Name extends string>(
  subjects: Readonly<Record<Name, () => Promise<unknown>>>,
  { rounds, warmUps, signal }: Rounds,
): Promise<Timings<Name>> {
  const names = Object.keys(subjects) as Name[];
  const timings = Object.fromEntries(names.map((name) => [name, []])) as unknown as Record<Name, number[]>;
  for (let round = 0; round < warmUps + rounds; round += 1) {
    for (const name of round % 2 === 0 ? names : names.toReversed()) {
      signal.throwIfAborted();
      const startedAt = performance.now();
      await subjects[name]();
      if (round >= warmUps) timings[name].push(performance.now() - startedAt);
    }
  }
  return timings;
}
