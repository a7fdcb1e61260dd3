import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removePath } from '../remove-task.ts';
import { openLocalFiles } from './local.ts';

const signal = AbortSignal.timeout(30_000);

describe('files of a backup in a folder', () => {
  let root: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-local-'));
  });
  afterEach(() => rmSync(root, { recursive: true, force: true }));

  const fill = (path: string, names: string[]) => {
    for (const name of names) {
      mkdirSync(join(root, path, name, '..'), { recursive: true });
      writeFileSync(join(root, path, name), name);
    }
  };
  const list = async (path: string) => {
    const names: string[] = [];
    for await (const { name } of (await openLocalFiles(root, path)).list(signal)) names.push(name);
    return names.sort();
  };

  it.each(['backup', '', 'c1/../../etc', 'c1/./p', '/c1/p', 'c1//p', '../c1/p'])(
    'refuses the path %j: too short, or not clean (D9)',
    async (path) => {
      await expect(openLocalFiles(root, path)).rejects.toMatchObject({ code: 'storage_unusable' });
    },
  );
  it('refuses a path that a link leads out of the storage, and removes nothing there', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'tidemark-outside-'));
    try {
      writeFileSync(join(outside, 'precious'), 'x');
      mkdirSync(join(root, 'c1'));
      symlinkSync(outside, join(root, 'c1', 'p'));
      await expect(openLocalFiles(root, 'c1/p')).rejects.toThrow('is a link');
      expect(readdirSync(outside)).toEqual(['precious']);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });
  it('removes a link inside the path without following it', async () => {
    const outside = mkdtempSync(join(tmpdir(), 'tidemark-outside-'));
    try {
      writeFileSync(join(outside, 'precious'), 'x');
      fill('c1/p', ['backup.lock']);
      symlinkSync(outside, join(root, 'c1', 'p', 'link'));
      expect(await removePath(await openLocalFiles(root, 'c1/p'), 'c1/p', signal)).toMatchObject({ kind: 'removed' });
      expect(readdirSync(outside)).toEqual(['precious']);
    } finally {
      rmSync(outside, { recursive: true });
    }
  });
  it('says which storage is not there', async () => {
    await expect(openLocalFiles(join(root, 'unmounted'), 'c1/p')).rejects.toThrow(/unmounted .*is it mounted/);
  });
  it('lists only what is below the path, not its namesakes', async () => {
    fill('c1/p', ['backupmeta', '1/a.sst']);
    fill('c1/p-r1', ['backupmeta']);
    expect(await list('c1/p')).toEqual(['1/a.sst', 'backupmeta']);
    expect(await list('c1/none')).toEqual([]);
  });
  it('removes everything, empty folders too, and leaves the neighbours', async () => {
    fill('c1/p', ['backup.lock', 'backupmeta', '1/a.sst', '2/b.sst', 'checkpoints/backup/data/x.cpt']);
    mkdirSync(join(root, 'c1/p/empty/deep'), { recursive: true });
    fill('c1/p-r1', ['backupmeta']);
    const result = await removePath(await openLocalFiles(root, 'c1/p'), 'c1/p', signal);
    expect(result).toMatchObject({ kind: 'removed' });
    expect(existsSync(join(root, 'c1/p'))).toBe(false);
    expect(await list('c1/p-r1')).toEqual(['backupmeta']);
  });
  it('is done at once where nothing is left, so that any other worker can finish a removal', async () => {
    expect(await removePath(await openLocalFiles(root, 'c1/gone'), 'c1/gone', signal)).toEqual({
      kind: 'removed',
      bytes: 0n,
    });
  });
  it('removes backupmeta first and backup.lock last, and tells of what stays (C1)', async () => {
    fill('c1/p', ['backup.lock', 'backupmeta', '1/a.sst']);
    const files = await openLocalFiles(root, 'c1/p');
    const order: string[] = [];
    const stubborn = {
      ...files,
      remove: async (names: readonly string[]) => {
        order.push(...names);
        return names.includes('1/a.sst') ? [{ name: '1/a.sst', why: 'EACCES' }] : files.remove(names, signal);
      },
    };
    const result = await removePath(stubborn, 'c1/p', signal);
    expect(order).toEqual(['backupmeta', '1/a.sst']);
    expect(result).toMatchObject({ kind: 'failed', reason: { code: 'FILES_LEFT', detail: '1/a.sst: EACCES' } });
    expect(await list('c1/p')).toContain('backup.lock');
  });
});
