import { chmodSync, mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DEMO_BR } from '@tidemark/local-stack/stack';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { overlaps, startTidemark, type Tidemark } from './tidemark.ts';

describe('a br that does not succeed', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-br-'));
  let tidemark: Tidemark;
  beforeAll(async () => {
    // Beside the plain one, a br from before there was a checkpoint.lock.
    const old = join(folder, 'old-br');
    writeFileSync(old, `#!/bin/sh\nDEMO_BR_VERSION=v6.5.0 exec "${DEMO_BR}" "$@"\n`);
    chmodSync(old, 0o755);
    tidemark = await startTidemark({ br: [DEMO_BR, old], copies: { 'executor-worker': 2 } });
  }, 120_000);
  afterAll(async () => {
    await tidemark?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const started = (clusterId: string) =>
    tidemark.ledger().filter(({ path, event }) => path.includes(clusterId) && event === 'start');

  it('for a passing reason is run again in the same path, and its failure stays to be seen', async () => {
    const clusterId = await tidemark.cluster('passing');
    const message = 'error happen in store 1: connection reset by peer';
    tidemark.demo({ seconds: 0.3, outcome: { kind: 'fail', message, times: 1 } }, clusterId);
    const id = await tidemark.start(clusterId);
    const record = await tidemark.untilState(id, 'Succeeded');
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['retry', 'succeeded']);
    expect(JSON.stringify(record.attempts[0])).toContain(message);
    expect(new Set(record.attempts.map(({ filePath }) => filePath)).size).toBe(1);
  });

  it('again and again fails the backup after three times, with a sentence, and its files go (T14)', async () => {
    const clusterId = await tidemark.cluster('always');
    tidemark.demo({ seconds: 0.2, outcome: { kind: 'fail', message: 'connection refused' } }, clusterId);
    const id = await tidemark.start(clusterId);
    const record = await tidemark.untilState(id, 'Failed', 40);
    expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['retry', 'retry', 'retry']);
    expect(record.reason?.message).toContain('Tidemark gave up after 3 failed tries.');
    await vi.waitFor(() => expect(tidemark.files(record.filePath)).toEqual([]), { timeout: 20_000 });
  });

  it('for a lasting reason fails the backup at once', async () => {
    const clusterId = await tidemark.cluster('lasting');
    const outcome = {
      kind: 'fail',
      message: 'I/O permission denied error occurs on TiKV Node(store id: 1)',
      code: 'BR:KV:ErrKVStorage',
    };
    tidemark.demo({ seconds: 0.2, outcome }, clusterId);
    const id = await tidemark.start(clusterId);
    const record = await tidemark.untilState(id, 'Failed');
    expect(record.attempts).toHaveLength(1);
    expect(record.reason).toMatchObject({ message: expect.stringContaining('TiKV cannot write to the storage') });
  });

  it.each(['truncated-meta', 'missing-sst', 'exit-0-without-meta'])(
    'but says that it did (%s) is not believed: the backup is taken again elsewhere (T9, T10)',
    async (kind) => {
      const clusterId = await tidemark.cluster('liar');
      tidemark.demo({ seconds: 0.2, outcome: { kind, times: 1 } }, clusterId);
      const id = await tidemark.start(clusterId);
      const record = await tidemark.untilState(id, 'Succeeded', 40);
      expect(record.attempts.map(({ outcome }) => outcome)).toEqual(['newPath', 'succeeded']);
      const [first, second] = record.attempts.map(({ filePath }) => filePath);
      expect(second).toBe(`${first}-r1`);
      await vi.waitFor(() => expect(tidemark.files(first ?? '')).toEqual([]), { timeout: 20_000 });
      expect(tidemark.files(second ?? '')).toContain('backupmeta');
    },
  );

  it('because its worker died is started in a new path where br has no lock, and the old one is removed (T11, T13)', async () => {
    const clusterId = await tidemark.cluster('unlocked');
    await tidemark.patiently('PUT', `/clusters/${clusterId}`, {
      pd: ['127.0.0.1:2379'],
      version: '6.5.0',
      storageId: 'local',
    });
    tidemark.demo({ seconds: 2, hasLock: false }, clusterId);
    const id = await tidemark.start(clusterId);
    await tidemark.brStarted(clusterId);
    const name = (await tidemark.record(id)).attempts[0]?.worker;
    const worker = tidemark.stack.processes.find((one) => one.name === name);
    worker?.kill('SIGKILL');
    const record = await tidemark.untilState(id, 'Succeeded', 40);
    const [first, second] = record.attempts.map(({ filePath }) => filePath);
    expect(second).toBe(`${first}-r1`);
    expect(record.filePath).toBe(second);
    await vi.waitFor(() => expect(tidemark.files(first ?? '')).toEqual([]), { timeout: 30_000 });
    expect(tidemark.files(second ?? '')).toContain('backupmeta');
    expect(overlaps(tidemark.ledger())).toEqual([]);
    await worker?.start();
  });

  it('because no br of this worker fits the cluster says which there are, and starts nothing', async () => {
    const clusterId = await tidemark.cluster('unfit');
    await tidemark.patiently('PUT', `/clusters/${clusterId}`, {
      pd: ['127.0.0.1:2379'],
      version: '5.4.0',
      storageId: 'local',
    });
    const id = await tidemark.start(clusterId);
    const record = await tidemark.untilState(id, 'Failed');
    expect(record.reason).toMatchObject({ code: 'NO_FITTING_BR', message: expect.stringContaining('v6.5.0') });
    expect(started(clusterId)).toEqual([]);
  });

  it('because the storage is not mounted says so', async () => {
    const storage = join(folder, 'mount');
    await tidemark.patiently('PUT', '/storages/mount', { type: 'local', path: storage });
    const clusterId = await tidemark.cluster('unmounted');
    await tidemark.patiently('PUT', `/clusters/${clusterId}`, {
      pd: ['127.0.0.1:2379'],
      version: '8.5.0',
      storageId: 'mount',
    });
    const id = await tidemark.start(clusterId);
    const record = await tidemark.untilState(id, 'Failed');
    expect(record.reason?.message).toMatch(/is it mounted/);
  });

  it('keeps a deletion visible that fails, and finishes it when the storage is back', async () => {
    const clusterId = await tidemark.cluster('stuck');
    const id = await tidemark.start(clusterId);
    const { filePath } = await tidemark.untilState(id, 'Succeeded');
    const { storage } = tidemark.stack;
    renameSync(storage, `${storage}-away`);
    await tidemark.call('DELETE', `/backups/${id}`);
    await tidemark.until(id, ({ deletion }) => deletion.state === 'DeleteFailed');
    renameSync(`${storage}-away`, storage);
    // Asked again by a person, it is tried at once.
    expect(await tidemark.call('DELETE', `/backups/${id}`)).toMatchObject({ status: 200 });
    await tidemark.until(id, ({ deletion }) => deletion.state === 'Deleted');
    expect(tidemark.files(filePath)).toEqual([]);
  });
});
