/**
 * The real cluster behind a registration. One cluster may be registered more than once, under several names and by several of its PDs,
 * and two `br` in it harm each other all the same. Pure.
 */
import { plainPdAddress } from '@tidemark/br-options/names';
import { MAX_OTHER_PD } from '@tidemark/limits/limits';

export interface RealCluster {
  /** Its id in Tidemark. */
  readonly clusterId: string;
  readonly pd: readonly string[];
  /** Those of its other registrations, as `namesakesOf` finds them, where they were looked for. */
  readonly otherPd?: readonly string[];
  /** The id that TiDB gave it, decimal; absent where no backup of it tells. */
  readonly tidbClusterId?: string;
}

/** Why two registrations are of one cluster, such as "both have the PD 10.0.0.1:2379"; undefined where nothing says so. */
export function whyOne(one: RealCluster, other: RealCluster): string | undefined {
  const known = new Set(allPd(one).map(plainPd));
  const shared = allPd(other).find((pd) => known.has(plainPd(pd)));
  if (shared !== undefined) return `both have the PD ${plainPd(shared)}`;
  const { tidbClusterId = '0' } = one;
  return tidbClusterId !== '0' && tidbClusterId === other.tidbClusterId
    ? `TiDB calls both ${tidbClusterId}`
    : undefined;
}

const allPd = ({ pd, otherPd = [] }: Pick<RealCluster, 'pd' | 'otherPd'>): readonly string[] => [...pd, ...otherPd];

/**
 * Registrations of one cluster: those that have a PD of it, and those that have one of these, and so on.
 *
 * @returns those that are the nearest first
 */
export function namesakesOf<T extends Pick<RealCluster, 'pd'>>(pd: readonly string[], registered: readonly T[]): T[] {
  const byPd = new Map<string, T[]>();
  for (const one of registered)
    for (const address of new Set(one.pd.map(plainPd))) byPd.set(address, [...(byPd.get(address) ?? []), one]);
  const found = new Set<T>();
  const looked = new Set(pd.map(plainPd));
  // A set tells also of what is added while it is gone through.
  for (const address of looked) {
    for (const one of byPd.get(address) ?? []) {
      found.add(one);
      for (const another of one.pd) looked.add(plainPd(another));
    }
  }
  return [...found];
}

/** The PDs of other registrations, without those of its own. */
export function otherPdOf(pd: readonly string[], namesakes: readonly Pick<RealCluster, 'pd'>[]): string[] {
  const own = new Set(pd.map(plainPd));
  const others = namesakes.flatMap((one) => one.pd.map(plainPd)).filter((address) => !own.has(address));
  return [...new Set(others)].slice(0, MAX_OTHER_PD);
}

/** One way to write an address: `2130706433`, `127.1`, `[::ffff:127.0.0.1]` and `localhost` are 127.0.0.1. Other names are not looked up. */
export function plainPd(pd: string): string {
  const address = plainPdAddress(pd).toLowerCase();
  if (!URL.canParse(`http://${address}`)) return address;
  const { hostname, port } = new URL(`http://${address}`);
  const host = unmapped(hostname.replace(/\.$/, ''));
  return `${LOOPBACK.has(host) ? '127.0.0.1' : host}:${port || 80}`;
}

const LOOPBACK: ReadonlySet<string> = new Set(['localhost', '0.0.0.0', '[::1]', '[::]']);

/** The IPv4 address that an IPv6 one holds, such as `[::ffff:7f00:1]`. */
function unmapped(host: string): string {
  const [, high, low] = /^\[::ffff:([0-9a-f]{1,4}):([0-9a-f]{1,4})\]$/.exec(host) ?? [];
  if (high === undefined || low === undefined) return host;
  const [one, other] = [Number.parseInt(high, 16), Number.parseInt(low, 16)];
  return [one >> 8, one & 255, other >> 8, other & 255].join('.');
}
