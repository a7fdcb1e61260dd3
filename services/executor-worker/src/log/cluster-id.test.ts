import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { clusterIdReader } from './cluster-id.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tidemark-cluster-id-'));
  mkdirSync(join(root, 'nfs/c1/log-1-a'), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const read = () =>
  clusterIdReader({})({
    storage: Storage.create({ id: 's', root: 'nfs', location: { $case: 'local', value: { path: root } } }),
    path: 'nfs/c1/log-1-a',
  });
const holds = (content: Uint8Array) => writeFileSync(join(root, 'nfs/c1/log-1-a/backupmeta'), content);

it('reads of which cluster of TiDB a log is, exactly', async () => {
  const meta = BackupMeta.fromPartial({
    clusterId: 7_000_000_000_000_000_001n,
    startVersion: 470_814_526_146_609_153n,
  });
  holds(BackupMeta.encode(meta).finish());
  expect(await read()).toBe(7_000_000_000_000_000_001n);
});

it('does not know it where no backupmeta is there, or none that says it', async () => {
  await expect(read()).rejects.toThrow('no backupmeta');
  holds(new Uint8Array());
  await expect(read()).rejects.toThrow('names no cluster');
  holds(Buffer.from('this is no message of protobuf'));
  await expect(read()).rejects.toThrow();
});
