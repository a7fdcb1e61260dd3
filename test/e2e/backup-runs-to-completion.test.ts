import { execFile } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { sealOf, toSeal } from '@tidemark/backupmeta/seal';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { BackupMeta } from '@tidemark/protocol/br/backup';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type BackupRecord, startTidemark, type Tidemark } from './tidemark.ts';

const CLI = join(import.meta.dirname, '..', '..', 'cli', 'src', 'main.ts');

const { PATH, NODE_COMPILE_CACHE } = process.env;
const runCli = (...args: readonly string[]) =>
  new Promise<{ readonly code: unknown; readonly lines: readonly string[]; readonly errors: string }>((resolve) =>
    execFile(process.execPath, [CLI, ...args], { env: { PATH, NODE_COMPILE_CACHE } }, (error, output, errors) =>
      resolve({ code: error ? error.code : 0, lines: output.split('\n').slice(0, -1), errors }),
    ),
  );

describe('a backup', () => {
  let tidemark: Tidemark;
  beforeAll(async () => {
    // So that what rests before it is removed would be noticed.
    tidemark = await startTidemark({ env: { all: { TIDEMARK_QUIET_SECONDS: '600' } } });
  }, 120_000);
  afterAll(() => tidemark?.[Symbol.asyncDispose]());

  it('goes from the request through broker and worker into files, and its record tells the truth about them', async () => {
    const clusterId = await tidemark.cluster('complete');
    const id = await tidemark.start(clusterId);
    const record = await tidemark.untilState(id, 'Succeeded');
    expect(record.status).toBe('Finished');
    const folder = join(tidemark.stack.storage, record.filePath);
    const meta = BackupMeta.decode(readFileSync(join(folder, 'backupmeta')));
    expect(record.backupTso).toBe(String(meta.endVersion));
    expect(record.sizeBytes).toBe(Number(meta.backupSize));
    expect(record.size).toBeCloseTo(Number(meta.backupSize) / 1024 / 1024, 9);
    expect(record.progress.percent).toBe(100);
    const manifest = JSON.parse(readFileSync(join(folder, 'tidemark.json'), 'utf8')) as {
      backupId: string;
      tso: string;
    };
    expect(manifest).toMatchObject({ backupId: id, tso: record.backupTso });
    expect(toSeal(readFileSync(join(folder, 'tidemark.json')))).toEqual(
      sealOf(readFileSync(join(folder, 'backupmeta'))),
    );
    const listed = await tidemark.patiently<{ backupRecords: BackupRecord[] }>(
      'GET',
      `/backups?clusterId=${clusterId}`,
    );
    expect(listed.data.backupRecords.map((one) => one.id)).toEqual([id]);
    expect(listed.page?.total).toBe(1);
    expect(
      tidemark.ledger().filter(({ path, event }) => path.endsWith(record.filePath) && event === 'start'),
    ).toHaveLength(1);
  });

  it('holds the rows that are in its cluster, and no row of another one', async () => {
    const pd = '10.0.7.1:2379';
    const name = { db: 'shop', table: 'orders' };
    const cluster = tidemark.demoCluster(pd);
    await performTask(
      cluster,
      { verb: 'insert', name, handle: 70_001, value: 'a row of ours' },
      AbortSignal.timeout(10_000),
    );
    const rowsOf = async (clusterId: string) => {
      const { filePath } = await tidemark.untilState(await tidemark.start(clusterId), 'Succeeded');
      const names = tidemark.files(filePath).filter((file) => file.endsWith('.sst'));
      expect(names.length).toBeGreaterThan(1);
      return names.map((file) => readFileSync(join(tidemark.stack.storage, filePath, file), 'utf8')).join('');
    };
    expect(await rowsOf(await tidemark.cluster('rows', { pd: [pd] }))).toContain('\n70001\ta row of ours\n');
    expect(await rowsOf(await tidemark.cluster('others'))).not.toContain('a row of ours');
  });

  it('is verified in its storage by the command line, which needs nothing else of Tidemark and says what is damaged', async () => {
    const id = await tidemark.start(await tidemark.cluster('verified'));
    const { filePath } = await tidemark.untilState(id, 'Succeeded');
    const verify = (...args: readonly string[]) =>
      runCli('verify', '--storage', tidemark.stack.storage, '--path', filePath, ...args);
    const whole = await verify();
    expect(whole).toMatchObject({ code: 0, errors: '' });
    expect(whole.lines[0]).toMatch(/^Every file is byte for byte what TiKV wrote on 20\d\d-/);
    expect((await verify('--level', 'meta')).lines).toEqual([
      expect.stringMatching(
        /^The catalogue of the backup is unharmed\. All \d+ files are there with the right size\.$/,
      ),
    ]);
    const json = await verify('--json');
    expect(JSON.parse(json.lines.join('\n'))).toMatchObject({ verdict: 'good', problems: [], sample: 1 });

    const folder = join(tidemark.stack.storage, filePath);
    const [first = '', second = '', third = ''] = readdirSync(folder, { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.sst'))
      .sort();
    const changed = readFileSync(join(folder, first));
    changed[0] = (changed[0] ?? 0) ^ 1;
    writeFileSync(join(folder, first), changed);
    appendFileSync(join(folder, second), 'x');
    unlinkSync(join(folder, third));
    const damaged = await verify();
    expect(damaged).toMatchObject({ code: 1, errors: '' });
    expect(damaged.lines).toContain(
      `content     ${first} is damaged: it has the right size, and is not what TiKV wrote`,
    );
    expect(damaged.lines).toContainEqual(expect.stringMatching(`^size +${second} has \\d+ bytes instead of \\d+$`));
    expect(damaged.lines).toContain(`missing     ${third} is missing`);
    expect(damaged.lines).toContainEqual(expect.stringMatching(/^The backup is damaged: 3 files of \d+ are not/));

    const away = await runCli('verify', '--storage', `${tidemark.stack.storage}/nowhere`, '--path', filePath);
    expect(away).toMatchObject({ code: 2, errors: '' });
    expect(away.lines[0]).toMatch(/^The backup could not be verified: .*is it mounted\?/);
    const notMounted = mkdtempSync(join(tmpdir(), 'tidemark-mount-'));
    expect(await runCli('verify', '--storage', notMounted, '--path', filePath), 'an empty mount point').toEqual({
      code: 2,
      lines: [`Nothing lies at ${filePath}: is that the path of a backup, and is the share mounted?`],
      errors: '',
    });
    rmSync(notMounted, { recursive: true });
    expect(await verify('--sample', '2')).toEqual({
      code: 2,
      lines: [],
      errors: '--sample is a part from 0.000001 to 1; "2" is not. verify --help tells the rest.\n',
    });
  });

  it('shows its progress while it runs, and it never goes back', async () => {
    const clusterId = await tidemark.cluster('progress');
    tidemark.demo({ seconds: 3, progressIntervalSeconds: 0.2 }, clusterId);
    const id = await tidemark.start(clusterId);
    const seen: number[] = [];
    await tidemark.until(id, ({ state, progress }) => {
      seen.push(progress.percent);
      return state === 'Succeeded';
    });
    expect(seen.some((percent) => percent > 5 && percent < 95)).toBe(true);
    expect(seen.toSorted((one, other) => one - other)).toEqual(seen);
  });

  it('estimates how far it is from what it has written, where br says nothing of it for two minutes', async () => {
    const clusterId = await tidemark.cluster('estimate');
    await tidemark.untilState(await tidemark.start(clusterId), 'Succeeded');
    tidemark.demo({ seconds: 9, progressIntervalSeconds: 120 }, clusterId);
    const id = await tidemark.start(clusterId);
    const { estimate, progress } = await tidemark.until(id, (record) => record.estimate !== undefined);
    expect(estimate?.writtenBytes).toBeGreaterThan(0);
    expect(estimate?.percent).toBeGreaterThan(0);
    expect(estimate?.percent).toBeLessThan(100);
    expect(progress).toEqual({ step: '', percent: 0 });
    const record = await tidemark.untilState(id, 'Succeeded');
    expect(record).not.toHaveProperty('estimate');
    expect(record.progress.percent).toBe(100);
  });

  it('is refused while the cluster has one already, and the answer names it (T6)', async () => {
    const clusterId = await tidemark.cluster('busy');
    tidemark.demo({ seconds: 2 }, clusterId);
    const first = await tidemark.start(clusterId);
    const second = await tidemark.call('POST', '/backups', { clusterId });
    expect(second).toMatchObject({ status: 409, code: 20114, details: { backupId: first } });
    await tidemark.untilState(first, 'Succeeded');
  });

  it('is deleted right after its end with its files, which are listed again, and leaves a tombstone', async () => {
    const clusterId = await tidemark.cluster('delete');
    const id = await tidemark.start(clusterId);
    const { filePath } = await tidemark.untilState(id, 'Succeeded');
    const folder = join(tidemark.stack.storage, filePath);
    expect(existsSync(folder)).toBe(true);
    const answer = await tidemark.call('DELETE', `/backups/${id}`);
    expect(answer).toMatchObject({ status: 200, code: 0 });
    const record = await tidemark.until(id, ({ deletion }) => deletion.state === 'Deleted');
    expect(existsSync(folder)).toBe(false);
    expect(record.deletion.by).toBe(record.createdBy);
    const listed = await tidemark.patiently('GET', `/backups?clusterId=${clusterId}`);
    expect(listed.page?.total).toBe(0);
    expect(await tidemark.call('DELETE', `/backups/${id}`)).toMatchObject({ status: 404, code: 20610 });
  });

  it('can be followed by one request id from the HTTP request to br', async () => {
    const clusterId = await tidemark.cluster('follow');
    const requestId = `follow-${clusterId}`;
    const answer = await tidemark.call<{ backupId: string }>(
      'POST',
      '/backups',
      { clusterId },
      { 'x-request-id': requestId },
    );
    expect(answer.headers.get('x-request-id')).toBe(requestId);
    expect(answer.headers.get('em-x-trace-id')).toBe(requestId);
    await tidemark.untilState(answer.data.backupId, 'Succeeded');
    const of = (name: string) => tidemark.logs().filter((line) => line.requestId === requestId && line.name === name);
    for (const name of ['gateway', 'backup-service', 'executor-worker'])
      expect(of(name).length, name).toBeGreaterThan(0);
    expect(of('executor-worker').map(({ msg }) => msg)).toContain('br started');
  });

  it('shows every process alive and ready, with metrics, and no secret in any log', async () => {
    for (const { operations, name } of tidemark.stack.processes) {
      expect((await fetch(`http://${operations}/livez`)).status, name).toBe(200);
      expect((await fetch(`http://${operations}/readyz`)).status, name).toBe(200);
      expect(await (await fetch(`http://${operations}/metrics`)).text(), name).toContain('process_cpu_seconds_total');
    }
    const { username, password } = new URL(tidemark.stack.broker.url);
    for (const { logFile, name } of tidemark.stack.processes) {
      const text = readFileSync(logFile, 'utf8');
      expect(text.includes(tidemark.stack.token), name).toBe(false);
      if (username) expect(text.includes(password), name).toBe(false);
    }
  });
});
