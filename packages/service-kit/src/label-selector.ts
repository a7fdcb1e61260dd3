/** Which clusters labels and a text choose. Pure. */

export type Labels = Readonly<Record<string, string>>;

/** Whether all of the wanted labels are there, with these values. */
export function hasLabels(labels: Labels, wanted: Labels): boolean {
  return Object.entries(wanted).every(([label, value]) => Object.hasOwn(labels, label) && labels[label] === value);
}

/** A cluster as far as it matters here; a damaged record may lack what it is looked for by. */
export interface Named {
  readonly id: string;
  readonly name?: unknown;
  readonly labels?: Labels | undefined;
}

/**
 * Looks for clusters.
 *
 * @param labels all of them must be there
 * @param text in the id or the name, whatever the case; empty means any
 */
export function clusterMatcher(labels: Labels, text: string): (cluster: Named) => boolean {
  const part = text.toLowerCase();
  const holds = (one: unknown) => typeof one === 'string' && one.toLowerCase().includes(part);
  return ({ id, name, labels: own }) => hasLabels(own ?? {}, labels) && (part === '' || holds(id) || holds(name));
}
