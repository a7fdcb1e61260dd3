import { compareVersions, readVersion, type Version } from './version.ts';

/** From this version on `br` refuses every TiKV before it, whatever else fits (`8.2 br does not support tikv <= 8.1`). */
const REFUSES_OLDER: Version = [8, 2, 0];

const isRefused = (br: Version, cluster: Version) =>
  compareVersions(br, REFUSES_OLDER) >= 0 && compareVersions(cluster, REFUSES_OLDER) < 0;

/**
 * The version of `br` for a cluster: the same release, else the newest of the same minor, else the newest of the same major. BR itself
 * refuses more than that (br-contract 1.5), and some of it. Where the cluster's version is unknown, the newest one. Pure.
 *
 * @param versions of those that are there, such as v8.5.0
 * @returns one of them; undefined where none fits
 */
export function fittingVersion(versions: readonly string[], clusterVersion: string): string | undefined {
  const wanted = readVersion(clusterVersion);
  const known = versions
    .flatMap((text) => {
      const version = readVersion(text);
      return version ? [{ text, version }] : [];
    })
    .sort((one, other) => compareVersions(other.version, one.version));
  if (!wanted) return known[0]?.text ?? versions[0];
  const fits = (depth: number) =>
    known.find(
      ({ version }) => !isRefused(version, wanted) && wanted.slice(0, depth).every((part, at) => part === version[at]),
    );
  return (fits(3) ?? fits(2) ?? fits(1))?.text;
}
