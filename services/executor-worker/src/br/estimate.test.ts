/** What a backup says of itself while its `br` says nothing. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Estimate } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { openBackupFiles } from '@tidemark/storage/backup-files';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { startEstimation } from './estimate.ts';

let folder: string;
let told: (Estimate | undefined)[];
beforeEach(() => {
  told = [];
  folder = mkdtempSync(join(tmpdir(), 'tidemark-estimate-'));
  mkdirSync(join(folder, 'c1', 'p'), { recursive: true });
});
afterEach(() => rmSync(folder, { recursive: true, force: true }));

const write = (name: string, bytes: number) => writeFileSync(join(folder, 'c1', 'p', name), Buffer.alloc(bytes));
const estimation = async (lastSizeBytes: bigint) => {
  const storage = Storage.create({ id: 's1', location: { $case: 'local', value: { path: folder } } });
  const files = await openBackupFiles(storage, 'c1/p', {});
  return startEstimation({ files, lastSizeBytes, report: (estimate) => void told.push(estimate), everyMs: 10 });
};

it('grows with what lies in the path, as a share of the last good backup, and is never all of it', async () => {
  await using _ = await estimation(1_000n);
  write('1.sst', 100);
  await vi.waitFor(() => expect(told.at(-1)).toEqual({ writtenBytes: 100n, percent: 10 }));
  write('2.sst', 400);
  await vi.waitFor(() => expect(told.at(-1)).toEqual({ writtenBytes: 500n, percent: 50 }));
  write('3.sst', 5_000);
  await vi.waitFor(() => expect(told.at(-1)).toEqual({ writtenBytes: 5_500n, percent: 99 }));
});

it('is bytes alone where there is no earlier backup to compare with', async () => {
  await using _ = await estimation(0n);
  write('1.sst', 100);
  await vi.waitFor(() => expect(told.at(-1)).toEqual({ writtenBytes: 100n, percent: undefined }));
});

it('is over as soon as br tells its progress, once and for all', async () => {
  await using estimates = await estimation(1_000n);
  write('1.sst', 100);
  await vi.waitFor(() => expect(told.length).toBeGreaterThan(0));
  estimates.known();
  estimates.known();
  const then = told.length;
  expect(told.filter((estimate) => estimate === undefined)).toHaveLength(1);
  expect(told.at(-1)).toBeUndefined();
  await estimates[Symbol.asyncDispose]();
  expect(told).toHaveLength(then);
});

it('holds nothing up where the storage cannot be listed', async () => {
  let tries = 0;
  const list = async function* () {
    tries += 1;
    yield* [];
    throw new Error('no answer');
  };
  const report = (estimate: Estimate | undefined) => void told.push(estimate);
  await using _ = startEstimation({ files: { list }, lastSizeBytes: 0n, report, everyMs: 5 });
  await vi.waitFor(() => expect(tries).toBeGreaterThan(2));
  expect(told).toEqual([]);
});
