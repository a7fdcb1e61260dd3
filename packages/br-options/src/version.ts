/** Versions of `br` and of clusters, as far as they are compared. Pure. */

export type Version = readonly [major: number, minor: number, patch: number];

/** The version that a text such as "v8.5.0" names; undefined where it names none. */
export function readVersion(text: string): Version | undefined {
  const [, major, minor, patch] = /(\d+)\.(\d+)\.(\d+)/.exec(text) ?? [];
  return major === undefined ? undefined : [Number(major), Number(minor), Number(patch)];
}

/** Below 0 where the first is the older one, above 0 where it is the newer one. */
export const compareVersions = (one: Version, other: Version): number =>
  one[0] - other[0] || one[1] - other[1] || one[2] - other[2];

/** Whether a text names a version before the limit; one that names none counts as the newest. */
export function isBefore(text: string, limit: Version): boolean {
  const version = readVersion(text);
  return version !== undefined && compareVersions(version, limit) < 0;
}
