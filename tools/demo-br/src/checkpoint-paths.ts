import type { Dialect } from './dialect.ts';
import type { Storage } from './storage.ts';

/** Where the parts of a checkpoint lie, as names in a storage. */
export interface CheckpointPaths {
  readonly meta: string;
  readonly lock: string;
  readonly data: string;
  readonly checksum: string;
}

/** The places of a checkpoint in this version (br-contract 5.1). */
export function checkpointPaths(dialect: Dialect, { kind }: Pick<Storage, 'kind'>): CheckpointPaths {
  const slash = dialect.checkpointSlash && kind !== 'local' ? '/' : '';
  const folder = `${slash}checkpoints${dialect.checkpointLayout === 'backup' ? '/backup' : ''}`;
  return {
    meta: dialect.checkpointLayout === 'root' ? 'checkpoint.meta' : `${folder}/checkpoint.meta`,
    lock: `${folder}/checkpoint.lock`,
    data: `${folder}/data`,
    checksum: `${folder}/checksum`,
  };
}
