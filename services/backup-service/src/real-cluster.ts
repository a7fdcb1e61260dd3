/**
 * The real cluster behind a registration. One cluster may be registered more than once, under several names and by several of its PDs,
 * and two `br` in it harm each other all the same. Pure.
 */
import { plainPdAddress } from '@tidemark/br-options/names';

export interface RealCluster {
  /** Its id in Tidemark. */
  readonly clusterId: string;
  readonly pd: readonly string[];
  /** The id that TiDB gave it, decimal; absent where no backup of it tells. */
  readonly tidbClusterId?: string;
}

/** Why two registrations are of one cluster, such as "both have the PD 10.0.0.1:2379"; undefined where nothing says so. */
export function whyOne(one: RealCluster, other: RealCluster): string | undefined {
  const known = new Set(one.pd.map(plain));
  const shared = other.pd.find((pd) => known.has(plain(pd)));
  if (shared !== undefined) return `both have the PD ${plain(shared)}`;
  const { tidbClusterId = '0' } = one;
  return tidbClusterId !== '0' && tidbClusterId === other.tidbClusterId
    ? `TiDB calls both ${tidbClusterId}`
    : undefined;
}

/** One way to write an address: `2130706433`, `127.1`, `[::ffff:127.0.0.1]` and `localhost` are 127.0.0.1. Other names are not looked up. */
function plain(pd: string): string {
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
