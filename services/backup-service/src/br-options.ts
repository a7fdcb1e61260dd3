/** How the options of `br` of a cluster and of one backup are put together, and how they are stored. Pure. */
import type { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Target } from './backup.ts';

export type StoredBrOptions = NonNullable<Target['brOptions']>;

/** The options of a backup: what its request set wins over the cluster's; undefined when neither sets any. */
export function mergeBrOptions(
  ofCluster: StoredBrOptions | undefined,
  ofRequest: BrOptions | undefined,
): StoredBrOptions | undefined {
  if (!ofRequest) return ofCluster;
  const own = toStoredBrOptions(ofRequest);
  if (!ofCluster) return own;
  return {
    ...ofCluster,
    ...(own.rateLimit !== 0 && { rateLimit: own.rateLimit }),
    ...(own.concurrency !== 0 && { concurrency: own.concurrency }),
    ...(own.compression !== '' && { compression: own.compression }),
    ...(own.filters.length > 0 && { filters: own.filters }),
    ...(own.checksum !== undefined && { checksum: own.checksum }),
    ...(own.crypterMethod && { crypterMethod: own.crypterMethod, crypterKeyFile: own.crypterKeyFile ?? '' }),
    extra: { ...ofCluster.extra, ...own.extra },
  };
}

/** Options as they are stored: what is not set is not there. */
export function toStoredBrOptions(options: BrOptions): StoredBrOptions {
  const { rateLimit, concurrency, compression, filters, checksum, crypterMethod, crypterKeyFile, extra } = options;
  return {
    rateLimit,
    concurrency,
    compression,
    filters,
    ...(checksum !== undefined && { checksum }),
    ...(crypterMethod !== '' && { crypterMethod, crypterKeyFile }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}
