import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AppError } from '@tidemark/errors/app-error';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createReach, troubleOf } from './reach.ts';

describe('a storage that a worker cannot reach', () => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'tidemark-reach-'));
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const storage = () =>
    Storage.create({ id: 's1', root: 'r', location: { $case: 'local', value: { path: join(folder, 'mount') } } });
  const known = () => ({ storage: storage(), root: 'r', marker: undefined });
  const trouble = { code: 'STORAGE_UNUSABLE', message: 'Is it mounted?', passing: false } as const;

  it('is told of with the reason until it is within reach again, and then no longer', async () => {
    const changes: string[] = [];
    await using reach = createReach({}, () => changes.push(String(reach.outOfReach().length)), { lookEveryMs: 50 });
    expect(reach.remark()).toBeUndefined();
    reach.failed(known(), 'digest', trouble);
    expect(reach.outOfReach()).toMatchObject([{ storageId: 's1', storageDigest: 'digest', passing: false }]);
    await vi.waitFor(() => expect(reach.remark()).toMatch(/^s1: .*mount.*is it mounted\?$/));
    mkdirSync(join(folder, 'mount'));
    await vi.waitFor(() => expect(reach.outOfReach()).toEqual([]), { timeout: 5_000 });
    expect(changes).toEqual(['1', '0']);
  });

  it('is within reach as soon as a task got through to it', async () => {
    await using reach = createReach({}, () => undefined, { lookEveryMs: 60_000 });
    reach.failed(known(), 'digest', trouble);
    reach.worked('digest');
    expect(reach.outOfReach()).toEqual([]);
  });

  it('is no longer told of once no task has failed for it for long, as when it was corrected', async () => {
    const changes: number[] = [];
    const times = { lookEveryMs: 50, forgetMs: 1_000 };
    await using reach = createReach({}, () => changes.push(reach.outOfReach().length), times);
    reach.failed(known(), 'old', trouble);
    const failing = setInterval(() => reach.failed(known(), 'new', trouble), 100);
    try {
      await vi.waitFor(() => expect(reach.outOfReach()).toHaveLength(2), { timeout: 5_000 });
      await vi.waitFor(() => expect(reach.outOfReach()).toMatchObject([{ storageDigest: 'new' }]), { timeout: 10_000 });
    } finally {
      clearInterval(failing);
    }
    expect(changes.at(-1)).toBe(1);
  });

  it('is known by what is wrong: a person must act, or it may pass; other errors say nothing about it', () => {
    expect(troubleOf(new AppError('storage_unusable', 'No keys.'))).toMatchObject({ passing: false });
    expect(troubleOf(new AppError('unavailable', 'Silent.'))).toMatchObject({ code: 'STORAGE_AWAY', passing: true });
    expect(troubleOf(new AppError('internal', 'A bug.'))).toBeUndefined();
    expect(troubleOf(new Error('EIO'))).toBeUndefined();
  });
});
