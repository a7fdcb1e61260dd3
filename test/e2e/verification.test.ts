/** Verifications by real workers of real files; Y4 and Y6 are those of `verification.ts` of backup-service. */
import {
  appendFileSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { readMeta } from '@tidemark/backupmeta/backupmeta';
import { walkCatalogue } from '@tidemark/backupmeta/catalogue';
import { PLAIN } from '@tidemark/backupmeta/crypter';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackupRecord, openSince, startTidemark, type Tidemark } from './tidemark.ts';

const IS_LONG = process.env.TIDEMARK_LONG_TESTS === '1';
/** One file that is read and the catalogue: verify-content.test.ts tells all kinds of harm apart. */
const ALWAYS = ['a changed byte', 'a truncated backupmeta'];

describe('a verification', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    tidemark = await startTidemark({ copies: { 'executor-worker': 2 } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  const inStorage = (...names: readonly string[]) => join(tidemark.stack.storage, ...names);
  const good = async (name: string, settings: Record<string, unknown> = {}, script: Record<string, unknown> = {}) => {
    const clusterId = await tidemark.cluster(name, settings);
    tidemark.demo({ seconds: 0.3, ...script }, clusterId);
    return tidemark.untilState(await tidemark.start(clusterId), 'Succeeded');
  };
  const verify = async ({ id }: BackupRecord, body: Record<string, unknown> = {}) => {
    const answer = await tidemark.call('POST', `/backups/${id}/verify`, body);
    expect(answer.code, answer.message).toBe(0);
  };
  const untilVerified = ({ id }: BackupRecord, state: string, seconds = 50) =>
    tidemark.until(id, ({ verification }) => verification?.state === state, seconds);
  const dataFiles = ({ filePath }: BackupRecord) =>
    readdirSync(inStorage(filePath), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.sst'))
      .sort()
      .map((name) => inStorage(filePath, name));

  /** The data file that is read first. */
  const firstOfCatalogue = async ({ filePath }: BackupRecord) => {
    const read = async (name: string) => readFileSync(inStorage(filePath, name));
    const opened = readMeta(await read('backupmeta'), PLAIN);
    if (opened.kind === 'bad') throw new Error(opened.why);
    const walk = { read, decrypt: PLAIN, report: () => undefined };
    for await (const { kind, name } of walkCatalogue(opened.meta, walk)) if (kind === 'data') return name;
    throw new Error('the backup has no data');
  };

  it('of a whole backup says so on the record, and gives its hold back', async () => {
    const backup = await good('whole');
    await verify(backup);
    const { verification, holds } = await untilVerified(backup, 'Good');
    expect(verification?.verdict).toMatch(/^Every file is byte for byte what TiKV wrote on 20/);
    expect(verification).toMatchObject({ problems: [], problemCount: 0, damaged: false });
    expect(holds).toEqual([]);
    await verify(backup, { level: 'meta' });
    const again = await tidemark.until(
      backup.id,
      (one) => one.verification?.level === 'meta' && one.verification.state === 'Good',
    );
    expect(again.verification?.verdict).toMatch(
      /^The catalogue of the backup is unharmed\. All \d+ files are there with the right size\.$/,
    );
  });

  it('whose worker is killed in the middle is gone on with by another, from where that one got to (Y4)', async () => {
    const backup = await good('killed', {}, { regions: 12, bytesPerFile: 2 ** 19 });
    await verify(backup, { rateLimit: 1 });
    const begun = await tidemark.until(backup.id, ({ verification }) => (verification?.progress?.files ?? 0) > 2);
    expect(begun).toMatchObject({ verification: { state: 'Running' }, holds: ['verify:1'] });
    const name = begun.verification?.worker;
    const worker = tidemark.stack.processes.find((one) => one.name === name);
    worker?.kill('SIGKILL');
    // What is behind the standing is not read again.
    unlinkSync(inStorage(backup.filePath, await firstOfCatalogue(backup)));
    const { verification } = await untilVerified(backup, 'Good', 60);
    expect(verification?.worker).not.toBe(name);
    expect(verification?.progress?.bytesRead).toBe(verification?.progress?.bytesInAll);
    await worker?.start();
  });

  const harms: [string, (backup: BackupRecord) => void, readonly string[]][] = [
    [
      'a changed byte',
      (backup) => {
        const [file = ''] = dataFiles(backup);
        const content = readFileSync(file);
        content[0] = (content[0] ?? 0) ^ 1;
        writeFileSync(file, content);
      },
      ['content'],
    ],
    ['a missing file', (backup) => unlinkSync(dataFiles(backup)[0] ?? ''), ['missing']],
    ['a longer file', (backup) => appendFileSync(dataFiles(backup)[0] ?? '', 'x'), ['size']],
    [
      'a swapped pair',
      (backup) => {
        const [one = '', other = ''] = dataFiles(backup);
        renameSync(one, `${one}.away`);
        renameSync(other, one);
        renameSync(`${one}.away`, other);
      },
      ['swapped', 'swapped'],
    ],
    ['a truncated backupmeta', ({ filePath }) => truncateSync(inStorage(filePath, 'backupmeta'), 100), ['content']],
  ];
  it.each(harms.filter(([what]) => IS_LONG || ALWAYS.includes(what)))(
    'tells %s from other damage on the record',
    async (_what, harm, kinds) => {
      const backup = await good('harmed');
      harm(backup);
      await verify(backup);
      const { verification, state } = await untilVerified(backup, 'Damaged');
      expect(verification?.problems.map(({ kind }) => kind)).toEqual(kinds);
      expect(verification?.damaged).toBe(true);
      expect(state).toBe('Succeeded');
      const listed = await tidemark.backups(backup.clusterId, '&damaged=true');
      expect(listed.map(({ id }) => id)).toEqual([backup.id]);
    },
  );

  it('tells a wrong key from damage on the record', async () => {
    const key = inStorage('key');
    const write = (digit: string) => writeFileSync(key, digit.repeat(32), { mode: 0o600 });
    write('1');
    const brOptions = { crypterMethod: 'aes128-ctr', crypterKeyFile: key };
    const backup = await good('encrypted', { brOptions });
    write('2');
    await verify(backup, { level: 'meta' });
    const { verification } = await untilVerified(backup, 'Damaged');
    expect(verification?.problems.map(({ kind }) => kind)).toEqual(['key']);
    expect(verification?.verdict).toMatch(
      /^The backup cannot be read with this key: its catalogue is what was written\./,
    );
    write('1');
    // The data are compared as they lie there: their hashes are of what TiKV had encrypted.
    await verify(backup, { level: 'bytes' });
    expect((await untilVerified(backup, 'Good')).verification?.damaged).toBe(false);
  });

  it('waits while the storage is away, says why, and says nothing against the backup (Y6)', async () => {
    const backup = await good('away');
    const root = inStorage('nfs');
    renameSync(root, `${root}-away`);
    try {
      await verify(backup);
      const waiting = await tidemark.until(backup.id, ({ verification }) => verification?.waitsFor !== undefined);
      expect(waiting.verification).toMatchObject({
        waitsFor: expect.stringMatching(/not mounted here/),
        damaged: false,
        problems: [],
      });
    } finally {
      rmSync(root, { recursive: true, force: true });
      renameSync(`${root}-away`, root);
    }
    await untilVerified(backup, 'Good', 60);
  });

  it('of the newest good backup of a rule comes by itself where the rule says so', async () => {
    const clusterId = await tidemark.cluster('ruled');
    tidemark.demo({ seconds: 0.3 }, clusterId);
    const verify = { every: 'P7D', level: 'bytes', sample: 0.5 };
    await tidemark.saveRule(clusterId, 'default', { ...openSince(1), verify });
    const id = await tidemark.windowStarted(clusterId);
    const { verification } = await tidemark.until(id, (one) => one.verification?.state === 'Good', 60);
    expect(verification?.verdict).toMatch(/^A random 50 % of the data files are byte for byte what TiKV wrote on /);
  });

  it('is canceled while its worker reads', async () => {
    const backup = await good('canceled', {}, { regions: 12, bytesPerFile: 2 ** 19 });
    await verify(backup, { rateLimit: 1 });
    await untilVerified(backup, 'Running');
    expect((await tidemark.call('DELETE', `/backups/${backup.id}`)).status).toBe(409);
    expect((await tidemark.call('POST', `/backups/${backup.id}/verify/cancel`)).status).toBe(200);
    expect((await untilVerified(backup, 'Canceled')).holds).toEqual([]);
    expect((await tidemark.call('POST', `/backups/${backup.id}/verify/cancel`)).status).toBe(200);
    expect((await tidemark.call('DELETE', `/backups/${backup.id}`)).status).toBe(200);
  });
});
