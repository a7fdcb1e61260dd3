import { execFileSync } from 'node:child_process';
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BackupFiles, openBackupFiles } from './backup-files.ts';
import { openLocalFiles } from './local.ts';

const signal = AbortSignal.timeout(30_000);

describe('files in a folder', () => {
  let root: string;
  let outside: string;
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'tidemark-local-'));
    outside = mkdtempSync(join(tmpdir(), 'tidemark-outside-'));
    writeFileSync(join(outside, 'precious'), 'x');
  });
  afterEach(() => {
    expect(readdirSync(outside)).toEqual(['precious']);
    expect(readFileSync(join(outside, 'precious'), 'utf8')).toBe('x');
    for (const folder of [root, outside]) rmSync(folder, { recursive: true, force: true });
  });

  const open = (path: string) =>
    openBackupFiles(Storage.create({ id: 's', location: { $case: 'local', value: { path: root } } }), path, {});
  const fill = (path: string, names: string[]) => {
    for (const name of names) {
      mkdirSync(join(root, path, name, '..'), { recursive: true });
      writeFileSync(join(root, path, name), name);
    }
  };

  /** Removes what is listed, and then the path. */
  const removeAll = async (files: BackupFiles) => {
    const listed = await Array.fromAsync(files.list(signal));
    const names = listed.map(({ name }) => name);
    expect(await files.remove(names, signal)).toEqual([]);
    await files.finishRemoval(signal);
  };

  it('are in a folder for br, which no link leads to', async () => {
    mkdirSync(join(root, 'real'));
    symlinkSync(join(root, 'real'), join(root, 'mount'));
    const storage = Storage.create({ location: { $case: 'local', value: { path: join(root, 'mount') } } });
    expect((await openBackupFiles(storage, 'c1/p', {})).folder).toBe(join(root, 'real', 'c1', 'p'));
  });
  it('are never reached by a link in the path', async () => {
    mkdirSync(join(root, 'c1'));
    symlinkSync(outside, join(root, 'c1', 'p'));
    await expect(open('c1/p')).rejects.toThrow('is a link');
    const files = await openLocalFiles(root);
    await expect(files.list('c1/p', signal)[Symbol.asyncIterator]().next()).rejects.toThrow('is a link');
    await expect(files.folders('c1/p', signal)[Symbol.asyncIterator]().next()).rejects.toThrow('is a link');
    await expect(files.remove(['c1/p/precious'], signal)).rejects.toThrow('is a link');
    await expect(files.finishRemoval('c1/p', signal)).rejects.toThrow('is a link');
  });
  it('are never reached by a link that comes when the path is open already', async () => {
    fill('c1/p', ['a']);
    const files = await open('c1/p');
    rmSync(join(root, 'c1/p'), { recursive: true });
    symlinkSync(outside, join(root, 'c1/p'));
    await expect(removeAll(files)).rejects.toThrow('is a link');
    await expect(files.remove(['precious'], signal)).rejects.toThrow('is a link');
    await expect(files.finishRemoval(signal)).rejects.toThrow('is a link');
  });
  it('are never read, written or removed through a link among them', async () => {
    fill('c1/p', ['a']);
    symlinkSync(outside, join(root, 'c1/p/checkpoints'));
    symlinkSync(join(outside, 'precious'), join(root, 'c1/p/backupmeta'));
    symlinkSync(join(outside, 'precious'), join(root, 'c1/p/tidemark.json.tmp'));
    const files = await open('c1/p');
    await expect(files.read('backupmeta', signal)).rejects.toThrow('is a link');
    await expect(files.read('checkpoints/precious', signal)).rejects.toThrow('is a link');
    await expect(files.remove(['checkpoints/precious'], signal)).rejects.toThrow('is a link');
    await expect(files.write('checkpoints/x', 'y', signal)).rejects.toThrow('is a link');
    await files.write('tidemark.json', 'mine', signal);
    expect(readFileSync(join(root, 'c1/p/tidemark.json'), 'utf8')).toBe('mine');
  });
  it('are removed with the links among them, which are not followed', async () => {
    fill('c1/p', ['backup.lock']);
    symlinkSync(outside, join(root, 'c1/p/link'));
    symlinkSync(join(outside, 'precious'), join(root, 'c1/p/file'));
    await removeAll(await open('c1/p'));
    expect(existsSync(join(root, 'c1/p'))).toBe(false);
  });
  it('are not named by what leads out', async () => {
    const files = await openLocalFiles(root);
    for (const name of ['../x', 'c1/../../x', '', '/', '.', 'a\0b'])
      await expect(files.read(name, signal)).rejects.toMatchObject({ code: 'storage_unusable' });
  });
  it('are not in a storage that is not mounted', async () => {
    await expect(openLocalFiles(join(root, 'unmounted'))).rejects.toThrow(/unmounted .*is it mounted/);
    writeFileSync(join(root, 'file'), '');
    await expect(openLocalFiles(join(root, 'file'))).rejects.toThrow('is not a folder');
  });
  it('go with their folders, empty ones too, and their neighbours stay', async () => {
    fill('c1/p', ['backup.lock', 'backupmeta', '1/a.sst', '2/b.sst', 'checkpoints/backup/data/x.cpt']);
    mkdirSync(join(root, 'c1/p/empty/deep'), { recursive: true });
    fill('c1/p-r1', ['backupmeta']);
    await removeAll(await open('c1/p'));
    expect(readdirSync(join(root, 'c1'))).toEqual(['p-r1']);
    expect(readdirSync(join(root, 'c1/p-r1'))).toEqual(['backupmeta']);
  });
  it('say what a worker may not do, and of each file why it stays', async () => {
    fill('c1/p', ['1/a.sst']);
    for (const folder of ['.', 'c1', 'c1/p']) chmodSync(join(root, folder), 0o755);
    chmodSync(join(root, 'c1/p/1'), 0o555);
    const files = await open('c1/p');
    // Root may do everything.
    const isRoot = process.geteuid?.() === 0;
    if (isRoot) process.seteuid?.('nobody');
    try {
      expect(await files.remove(['1/a.sst'], signal)).toEqual([{ name: '1/a.sst', why: 'EACCES' }]);
      await expect(files.write('1/b', 'b', signal)).rejects.toMatchObject({
        code: 'storage_unusable',
        message: expect.stringMatching(/may not use .*1\/b\.tmp \(EACCES\)/),
      });
    } finally {
      if (isRoot) process.seteuid?.(0);
      chmodSync(join(root, 'c1/p/1'), 0o755);
    }
  });
  it('go whatever the bytes of their names are, with the folders that they lie in', async () => {
    fill('c1/p', ['backup.lock', 'ä', '𝕏']);
    const odd = [
      Buffer.from('caf\xe9', 'latin1'),
      Buffer.of(0xff, 0xfe),
      Buffer.from('a\u{1D54F}\xc3\u2028'),
      Buffer.of(0xed, 0xb2, 0x80),
    ];
    const within = (folder: string, name: Buffer) => Buffer.concat([Buffer.from(join(root, folder, '/')), name]);
    for (const name of odd) writeFileSync(within('c1/p/', name), 'x');
    const folder = within('c1/p/', Buffer.from('d\xe9p\xf4t', 'latin1'));
    mkdirSync(folder);
    writeFileSync(Buffer.concat([folder, Buffer.from('/\xe9', 'latin1')]), 'x');
    await removeAll(await open('c1/p'));
    expect(existsSync(join(root, 'c1/p'))).toBe(false);
  });
  it('are read only where they are regular ones, and hold nobody up', async () => {
    fill('c1/p', ['good']);
    execFileSync('mkfifo', [join(root, 'c1/p/backupmeta')]);
    mkdirSync(join(root, 'c1/p/folder'));
    const files = await open('c1/p');
    for (const name of ['backupmeta', 'folder'])
      await expect(files.read(name, signal)).rejects.toMatchObject({
        code: 'storage_unusable',
        message: expect.stringMatching(/could not be read: it is not a regular file/),
      });
    const devices = await openLocalFiles('/dev');
    await expect(devices.read('zero', signal)).rejects.toThrow('not a regular file');
    expect((await files.read('good', signal))?.toString()).toBe('good');
  });
  it('are read no further than their limit', async () => {
    fill('c1/p', ['tidemark.json']);
    truncateSync(join(root, 'c1/p/tidemark.json'), 40 * 1024 ** 3);
    await expect((await open('c1/p')).read('tidemark.json', signal)).rejects.toMatchObject({
      code: 'storage_unusable',
      message:
        'c1/p/tidemark.json could not be read: it has more than 1048576 bytes, the most that is read of such a file.',
    });
  });
});

it('says of a folder that is mounted read-only that it is, and not that it is missing', async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-read-only-'));
  try {
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'ro,size=1m', 'tmpfs', folder], { stdio: 'ignore' });
  } catch {
    rmSync(folder, { recursive: true });
    return context.skip('only the superuser can mount (mount -t tmpfs -o ro)');
  }
  try {
    const files = await openLocalFiles(folder);
    await expect(files.write('em/backup/c1/tidemark.json', '{}', signal)).rejects.toMatchObject({
      code: 'storage_unusable',
      message: expect.stringContaining('is mounted read-only on this worker'),
    });
  } finally {
    execFileSync('umount', [folder]);
    rmSync(folder, { recursive: true });
  }
});
