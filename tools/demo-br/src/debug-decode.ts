import type { BackupMeta } from '@tidemark/protocol/br/backup';
import { textFlag } from './arguments.ts';
import type { DebugRun } from './debug-run.ts';
import { readMeta } from './read-meta.ts';

const JSON_FILE = 'jsons/backupmeta.json';

/** Fields that `--field` may name, by their names in Go and by those of their own that two have. */
const FIELDS: Readonly<Record<string, (meta: BackupMeta) => unknown>> = {
  'start-version': (meta) => meta.startVersion,
  'end-version': (meta) => meta.endVersion,
  StartVersion: (meta) => meta.startVersion,
  EndVersion: (meta) => meta.endVersion,
  ClusterId: (meta) => meta.clusterId,
  ClusterVersion: (meta) => meta.clusterVersion,
  BrVersion: (meta) => meta.brVersion,
  Version: (meta) => meta.version,
  BackupSize: (meta) => meta.backupSize,
  IsRawKv: (meta) => meta.isRawKv,
  NewCollationsEnabled: (meta) => meta.newCollationsEnabled,
};

/**
 * `br debug decode`: one field of `backupmeta`, or all of it as JSON, written into the backup (br-contract 9.2).
 *
 * @returns what goes to stdout, for an unknown field too
 * @throws BrError if there is no `backupmeta` that can be understood
 */
export async function decode({ flags, storage, crypter }: DebugRun): Promise<string> {
  const meta = await readMeta(storage, crypter);
  const field = textFlag(flags, 'field');
  if (field === '') {
    await storage.writeWhole(JSON_FILE, jsonOf(meta));
    return `backupmeta decoded at ${storage.uri}/${JSON_FILE}`;
  }
  const read = Object.hasOwn(FIELDS, field) ? FIELDS[field] : undefined;
  return read === undefined ? `field '${field}' not found` : String(read(meta));
}

/** 64-bit numbers as texts and bytes in base64, as protobuf has them in JSON. */
function jsonOf(meta: BackupMeta): string {
  return JSON.stringify(meta, (_, value: unknown) => {
    if (typeof value === 'bigint') return String(value);
    return isJsonBuffer(value) ? Buffer.from(value.data).toString('base64') : value;
  });
}

/** What Node.js makes of a Buffer before the replacer sees it. */
function isJsonBuffer(value: unknown): value is { data: number[] } {
  return typeof value === 'object' && value !== null && 'type' in value && value.type === 'Buffer' && 'data' in value;
}
