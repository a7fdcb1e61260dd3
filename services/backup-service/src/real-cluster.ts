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

const plain = (pd: string) => plainPdAddress(pd).toLowerCase();
