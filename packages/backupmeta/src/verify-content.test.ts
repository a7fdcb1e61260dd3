/** What a verification says of backups that came to harm, in all kinds of storages, each against a real server. */
import { createDecipheriv, randomBytes } from 'node:crypto';
import { AppError } from '@tidemark/errors/app-error';
import { type BackupFiles, backupFilesIn } from '@tidemark/storage/backup-files';
import { openStorage } from '@tidemark/storage/open-storage';
import { createKinds } from '@tidemark/storage/testing/kinds';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { Progress } from './content-report.ts';
import { sealOf } from './seal.ts';
import type { SignatureFinding, SignatureState } from './signature.ts';
import { DATA, STATISTICS, sealedBackup } from './testing/sealed-backup.ts';
import { verifyContent } from './verify-content.ts';

const INSTALL_MS = 600_000;
const signal = AbortSignal.timeout(INSTALL_MS);
const kinds = createKinds({ signal, say: console.error });
afterAll(() => kinds[Symbol.asyncDispose]());

const KEY = Buffer.from('sixteen bytes ok');
const decryptWith = (key: Buffer) => (content: Uint8Array, iv: Uint8Array) =>
  createDecipheriv('aes-128-ctr', key, iv).update(content);

let paths = 0;

describe.each([
  ['a folder', kinds.local],
  ['S3', kinds.s3],
  ['Azure', kinds.azure],
  ['Google Cloud Storage', kinds.gcs],
])('a verification of a backup in %s', (_, kind) => {
  let storage: Awaited<ReturnType<typeof openStorage>>;
  let files: BackupFiles;
  let backup: Map<string, Buffer>;
  const put = (name: string, content: string | Buffer) => files.write(name, content, signal);
  const putAll = async (all: Map<string, Buffer>) => {
    for (const [name, content] of all) await put(name, content);
    await put('backup.lock', 'DO NOT DELETE');
  };
  const verify = (options: Partial<Parameters<typeof verifyContent>[2]> = {}) =>
    verifyContent(files, signal, { level: 'bytes', ...options });
  beforeAll(async () => {
    await kind.start();
    storage = await openStorage(kind.storage(), kind.env);
  }, INSTALL_MS);
  beforeEach(async () => {
    paths += 1;
    files = await backupFilesIn(storage, `verify/p${paths}`);
    backup = sealedBackup();
    await putAll(backup);
  });

  it('that is whole finds nothing, and says how much was read', async () => {
    expect(await verify()).toMatchObject({
      verdict: 'good',
      result: { tso: 435_844_546_560_000_000n, files: 4n, tidbClusterId: 7n, clusterVersion: '8.5.0' },
      filesListed: 7,
      filesRead: 5,
      bytesRead: Object.values(DATA).join('').length + (backup.get(STATISTICS)?.length ?? 0),
      problems: [],
      problemCount: 0,
    });
    expect(await verify({ level: 'meta' })).toMatchObject({ verdict: 'good', filesRead: 1 });
  });

  it('looks again for what was missing in an earlier try', async () => {
    await put('2/b_write.sst', 'rows of B');
    await files.remove(['2/c_write.sst'], signal);
    const missing = ['1/a_write.sst', '2/b_write.sst', '2/c_write.sst'].map((name) => {
      return { kind: 'missing', name, why: `${name} is missing` } as const;
    });
    const from = { next: 1_000, files: 5, bytes: 0, problems: missing, problemCount: 3 };
    expect(await verify({ from, level: 'bytes' })).toMatchObject({
      verdict: 'damaged',
      problemCount: 2,
      problems: [{ kind: 'content', name: '2/b_write.sst' }, missing[2]],
      bytesRead: 18,
    });
    await put('2/b_write.sst', DATA['2/b_write.sst'] ?? '');
    await put('2/c_write.sst', DATA['2/c_write.sst'] ?? '');
    expect(await verify({ from })).toMatchObject({ verdict: 'good', problems: [], problemCount: 0 });
    await expect(verify({ from: { ...from, problemCount: 4 } })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('tells a changed byte, a missing file, a longer file and a swapped pair apart, and names each', async () => {
    await put('1/a_write.sst', 'rows of A');
    await put('1/a_default.sst', 'values of a, and more');
    await put('2/b_write.sst', DATA['2/c_write.sst'] ?? '');
    await put('2/c_write.sst', DATA['2/b_write.sst'] ?? '');
    expect(await verify()).toMatchObject({
      verdict: 'damaged',
      problemCount: 4,
      problems: [
        { kind: 'content', why: '1/a_write.sst is damaged: it has the right size, and is not what TiKV wrote' },
        { kind: 'size', why: '1/a_default.sst has 21 bytes instead of 11' },
        { kind: 'swapped', why: '2/b_write.sst holds what belongs into 2/c_write.sst' },
        { kind: 'swapped', why: '2/c_write.sst holds what belongs into 2/b_write.sst' },
      ],
    });
    expect(await verify({ level: 'meta' })).toMatchObject({ verdict: 'damaged', problems: [{ kind: 'size' }] });
    await files.remove(['1/a_write.sst', '1/a_default.sst'], signal);
    const missing = [
      { kind: 'missing', name: '1/a_write.sst' },
      { kind: 'missing', name: '1/a_default.sst' },
    ];
    expect((await verify()).problems.slice(0, 2)).toMatchObject(missing);
    expect((await verify({ level: 'meta' })).problems).toMatchObject(missing);
  });

  it('says of metadata and of statistics that they are harmed, and goes on with the rest', async () => {
    await put('backupmeta.schema.000000002', 'other');
    await put('2/b_write.sst', 'rows of B');
    expect((await verify()).problems.map(({ kind, name }) => [kind, name])).toEqual([
      ['content', 'backupmeta.schema.000000002'],
      ['content', '2/b_write.sst'],
    ]);
    await putAll(backup);
    await put(STATISTICS, '{"statistics":"of another"}');
    expect((await verify({ level: 'meta' })).problems).toMatchObject([{ kind: 'content', name: STATISTICS }]);
    await files.remove(['backupmeta.datafile.000000001'], signal);
    expect((await verify({ level: 'meta' })).problems).toContainEqual({
      kind: 'missing',
      name: 'backupmeta.datafile.000000001',
      why: 'backupmeta.datafile.000000001 is missing',
    });
  });

  it('tells a catalogue that somebody put there from one that decayed, where the manifest is signed', async () => {
    const whole = backup.get('backupmeta') as Buffer;
    const read = (signature: SignatureState) => verify({ sealed: sealOf(whole), signature });
    expect(await read('good')).toMatchObject({ verdict: 'good', signature: 'good' });
    // Another backup, whole in itself.
    for (const [name, content] of sealedBackup(undefined, { '9/z_write.sst': 'rows of somebody else' }))
      await put(name, content);
    expect(await read('good')).toMatchObject({ verdict: 'damaged', problems: [{ kind: 'tampered' }] });
    expect(await read('none')).toMatchObject({ verdict: 'damaged', problems: [{ kind: 'content' }] });
    for (const decayed of [whole.subarray(0, -3), Buffer.alloc(whole.length)]) {
      await put('backupmeta', decayed);
      expect(await read('good')).toMatchObject({ verdict: 'damaged', problems: [{ kind: 'content' }] });
    }
    // Its files of metadata are not those that it names.
    await putAll(backup);
    await put('backupmeta.datafile.000000001', 'decayed');
    await put('backupmeta', Buffer.concat([whole, Buffer.from([0x52, 0x01, 0x78])]));
    expect(await read('good')).toMatchObject({ problems: [{ kind: 'content' }] });
  });

  it('that cannot be proven for want of a signature is neither good nor damaged, and one with a wrong one is damaged', async () => {
    const finding = (kind: SignatureFinding['kind']) => ({ kind, name: 'tidemark.json', why: 'x' });
    for (const kind of ['unsigned', 'unknownKey'] as const) {
      const report = await verify({ finding: finding(kind) });
      expect(report).toMatchObject({ verdict: 'incomplete', problems: [{ kind }], filesRead: 5 });
    }
    expect(await verify({ finding: finding('signature') })).toMatchObject({ verdict: 'damaged', problemCount: 1 });
    await files.remove(['1/a_write.sst'], signal);
    expect(await verify({ finding: finding('unsigned') })).toMatchObject({
      verdict: 'damaged',
      problems: [{ kind: 'unsigned' }, { kind: 'missing' }],
    });
  });

  it('tells a truncated backupmeta from a wrong key, where a manifest says what it was', async () => {
    const encrypted = sealedBackup(KEY);
    await putAll(encrypted);
    const whole = encrypted.get('backupmeta') as Buffer;
    const sealed = sealOf(whole);
    const read = (key: Buffer) => verify({ decrypt: decryptWith(key), sealed });
    expect(await read(KEY)).toMatchObject({ verdict: 'good', filesRead: 5 });
    expect(await read(randomBytes(16))).toMatchObject({ verdict: 'damaged', problems: [{ kind: 'key' }] });
    await put('backupmeta', whole.subarray(0, -3));
    expect(await read(KEY)).toMatchObject({
      verdict: 'damaged',
      problems: [{ kind: 'content', why: `backupmeta has ${whole.length - 3} bytes instead of ${whole.length}` }],
    });
    await put('backupmeta', Buffer.alloc(whole.length));
    expect(await read(KEY)).toMatchObject({
      problems: [{ kind: 'content', why: 'backupmeta is damaged: it is not what was written' }],
    });
    await files.remove(['backupmeta'], signal);
    expect(await read(KEY)).toMatchObject({ verdict: 'absent', problems: [{ kind: 'missing', name: 'backupmeta' }] });
  });

  it('ends with the same report when it goes on where it was stopped', async () => {
    await put('1/a_default.sst', 'VALUES of a');
    await put('2/c_write.sst', 'ROWS of c');
    const whole = await verify({ filesAtOnce: 2 });
    for (let stopAt = 1; stopAt < 7; stopAt += 1) {
      const stop = new AbortController();
      let last: Progress | undefined;
      await verifyContent(files, stop.signal, {
        level: 'bytes',
        filesAtOnce: 2,
        onProgress: (progress) => {
          last = progress;
          if (progress.standing.next >= stopAt) stop.abort(new Error('stopped'));
        },
      }).catch((error: Error) => expect(error.message).toBe('stopped'));
      expect(await verify({ filesAtOnce: 2, from: last?.standing })).toEqual(whole);
    }
  });

  it('of a sample reads a part, another one for another seed, and looks for the others in a list', async () => {
    const readBy = async (seed: string) => {
      let read = 0;
      const onProgress = ({ standing }: Progress) => {
        read = standing.files;
      };
      const report = await verify({ sample: 0.5, seed, onProgress });
      return { read, report };
    };
    const reads = await Promise.all(['a', 'b', 'c', 'd', 'e', 'f', 'g'].map(async (seed) => (await readBy(seed)).read));
    expect(Math.min(...reads)).toBeLessThan(5);
    // Beside the statistics one data file at least, however small the part: what read nothing proves nothing.
    const { filesRead, verdict } = await verify({ sample: 1e-6, seed: 'a' });
    expect([filesRead, verdict]).toEqual([2, 'good']);
    await files.remove(['1/a_write.sst'], signal);
    await put('2/c_write.sst', 'other');
    for (const seed of ['a', 'b', 'c']) {
      const { report } = await readBy(seed);
      expect(report.problems.map(({ kind, name }) => [kind, name]).sort()).toEqual([
        ['missing', '1/a_write.sst'],
        ['size', '2/c_write.sst'],
      ]);
    }
  });
});

describe('a verification', () => {
  let files: BackupFiles;
  beforeEach(async () => {
    await kinds.local.start();
    paths += 1;
    files = await backupFilesIn(await openStorage(kinds.local.storage(), {}), `verify/p${paths}`);
    for (const [name, content] of sealedBackup()) await files.write(name, content, signal);
  });

  it('tries a storage again that is away for a moment, and counts no byte twice', async () => {
    let failures = 2;
    const shaky: BackupFiles = {
      ...files,
      async stream(name, ending, take) {
        if (failures === 0) return files.stream(name, ending, take);
        failures -= 1;
        await take(Buffer.from('half'));
        throw new AppError('unavailable', 'away');
      },
    };
    let read = 0;
    const onProgress = ({ bytesRead }: Progress) => {
      read = bytesRead;
    };
    const report = await verifyContent(shaky, signal, { level: 'bytes', filesAtOnce: 1, onProgress });
    expect(report).toMatchObject({ verdict: 'good', filesRead: 5 });
    expect(read).toBe(report.bytesRead);
  });

  it('says nothing against a backup whose storage stays away', async () => {
    const away: BackupFiles = { ...files, stream: () => Promise.reject(new AppError('unavailable', 'away')) };
    await expect(verifyContent(away, signal, { level: 'bytes' })).rejects.toMatchObject({ code: 'unavailable' });
  });

  it('sets a file aside that cannot be read, and calls the backup neither good nor damaged', async () => {
    const denied: BackupFiles = {
      ...files,
      stream: (name, ending, take) =>
        name === '2/b_write.sst'
          ? Promise.reject(new AppError('storage_unusable', 'This worker may not use it.'))
          : files.stream(name, ending, take),
    };
    expect(await verifyContent(denied, signal, { level: 'bytes' })).toMatchObject({
      verdict: 'incomplete',
      filesRead: 5,
      problems: [{ kind: 'unreadable', name: '2/b_write.sst', why: 'This worker may not use it' }],
    });
  });

  it('reads no faster than it may', async () => {
    const started = performance.now();
    const { bytesRead } = await verifyContent(files, signal, { level: 'bytes', bytesPerSecond: 100 });
    expect(performance.now() - started).toBeGreaterThan((1_000 * (bytesRead - 10)) / 100 - 100);
  });
});
