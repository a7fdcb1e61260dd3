/**
 * Whether garbage collection is off in the TiKVs of a cluster. For the time of its log a `br restore point` sets their `gc.ratio-threshold` to
 * -1, over their status ports. What it cannot set, or set back, is only a warning to it, and a crash leaves it so.
 */
import type { CollectionLook } from '@tidemark/br-restore/collection';
import { MAX_TIKV_ADDRESS, MAX_TIKVS_ASKED, MAX_TIKVS_NAMED } from '@tidemark/limits/limits';
import type { ClusterTls } from '../br/cluster-tls.ts';
import { askJson, fieldOf } from './ask-json.ts';

const STORES = '/pd/api/v1/stores';
const CONFIG = '/config';

/** Asks the TiKVs that a PD names; undefined where it names none. */
export async function askCollection(
  pd: string,
  tls: ClusterTls,
  signal: AbortSignal,
): Promise<CollectionLook | undefined> {
  const ask = (address: string, path: string) =>
    askJson({ address, path, body: undefined, tls, signal }).catch(() => undefined);
  const addresses = statusAddresses(await ask(pd, STORES));
  if (addresses.length === 0) return undefined;
  const asked = addresses.slice(0, MAX_TIKVS_ASKED);
  const ratios = await Promise.all(asked.map(async (address) => ratioOf(await ask(address, CONFIG))));
  return {
    off: asked.filter((_, index) => (ratios[index] ?? 0) < 0).slice(0, MAX_TIKVS_NAMED),
    unseen: addresses.length - ratios.filter((ratio) => ratio !== undefined).length,
  };
}

function statusAddresses(answer: unknown): string[] {
  const stores = fieldOf(answer, 'stores');
  if (!Array.isArray(stores)) return [];
  return stores
    .map((one) => fieldOf(one, 'store'))
    .filter((store) => !isTiFlash(store))
    .map((store) => fieldOf(store, 'status_address'))
    .filter((address) => typeof address === 'string')
    .filter((address) => address.length <= MAX_TIKV_ADDRESS && /^[\w.:[\]-]+$/.test(address));
}

function isTiFlash(store: unknown): boolean {
  const labels = fieldOf(store, 'labels');
  return Array.isArray(labels) && labels.some((label) => fieldOf(label, 'value') === 'tiflash');
}

function ratioOf(config: unknown): number | undefined {
  const ratio = fieldOf(fieldOf(config, 'gc'), 'ratio-threshold');
  return typeof ratio === 'number' ? ratio : undefined;
}
