/** The value below which the share `q` (0 to 1) of the values lies, between two of them where it falls there. */
export function quantile(values: readonly number[], q: number): number {
  if (values.length === 0) throw new Error('There is no quantile of nothing.');
  const sorted = values.toSorted((one, other) => one - other);
  const at = q * (sorted.length - 1);
  const below = sorted[Math.floor(at)] as number;
  const above = sorted[Math.ceil(at)] as number;
  return below + (above - below) * (at - Math.floor(at));
}

/** Of several measurements the one that a few disturbed rounds do not move. */
export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** A floor and what `value` is as a multiple of it, as a figure has them. */
export function against(value: number, name: string, floor: number) {
  return { floor: { name, value: floor }, ratio: value / floor };
}
