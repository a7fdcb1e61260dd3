import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { cutReader } from './cuts.ts';

const PATH = 'nfs/c1/log-1-a';
let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'tidemark-cuts-'));
  mkdirSync(join(root, PATH), { recursive: true });
});
afterEach(() => rmSync(root, { recursive: true }));

const read = () =>
  cutReader({})({
    storage: Storage.create({ id: 's', root: 'nfs', location: { $case: 'local', value: { path: root } } }),
    path: PATH,
  });
function leaves(...names: readonly string[]): void {
  const folder = join(root, PATH, 'v1/log_restore_tables_blocklists');
  mkdirSync(folder, { recursive: true });
  for (const name of names) writeFileSync(join(folder, name), '');
}
const hex = (point: bigint) => point.toString(16).toUpperCase().padStart(16, '0');
const file = (from: bigint, to: bigint) => `R${hex(to)}_S${hex(from)}.meta`;

it('is nothing of a log into whose cluster nothing was restored', async () => expect(await read()).toEqual([]));

it('is what lies between both times of each restore, exactly, and no file of another name', async () => {
  leaves(file(470_814_526_146_609_153n, 470_814_526_146_609_155n), file(7n, 9n), 'R12_S34.meta', 'notes.txt');
  expect(await read()).toEqual([
    { from: 7n, to: 9n },
    { from: 470_814_526_146_609_153n, to: 470_814_526_146_609_155n },
  ]);
});

it('is of very many one for the oldest', async () => {
  leaves(...Array.from({ length: 150 }, (_, at) => file(BigInt(10 * at), BigInt(10 * at + 5))));
  const cuts = await read();
  expect(cuts).toHaveLength(100);
  expect(cuts[0]).toEqual({ from: 0n, to: 505n });
  expect(cuts.at(-1)).toEqual({ from: 1_490n, to: 1_495n });
});
