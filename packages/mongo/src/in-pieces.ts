/** A slow server takes half a second over an `$in` of 500 ids, and answers nobody else meanwhile. */
const VALUES_AT_ONCE = 50;

/**
 * What is found of many values, some of them at a time, so that others have their turn between.
 *
 * @param enough no more is looked for once so much was found
 */
export async function inPieces<V, T>(
  values: readonly V[],
  find: (some: V[]) => Promise<readonly T[]>,
  enough = Number.POSITIVE_INFINITY,
): Promise<T[]> {
  const found: T[] = [];
  for (let from = 0; from < values.length && found.length < enough; from += VALUES_AT_ONCE)
    found.push(...(await find(values.slice(from, from + VALUES_AT_ONCE))));
  return found;
}
