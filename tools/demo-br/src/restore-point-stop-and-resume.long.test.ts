import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { clusterDigests } from './cluster-digests.ts';
import { LOG_CHECKPOINT_DATABASE } from './log-checkpoint.ts';
import { RESTORE_STEPS } from './outcome.ts';
import { CHECKPOINT_DATABASE } from './restore-checkpoint.ts';
import { readLines, SOURCE_PD } from './test-run.ts';
import { type PointStorage, type PointWorld, pointStorage, preparePointWorld } from './testing/point-world.ts';
import { tsoAt } from './tso.ts';
import { lastRow } from './writes.ts';

// A restore to a point that is ended anywhere, and what the same command makes of it.

let world: PointWorld;
let point: PointStorage;
beforeAll(async () => {
  world = await preparePointWorld();
}, 60_000);
afterAll(() => world.prepared[Symbol.asyncDispose]());
beforeEach(() => {
  point = pointStorage(world);
});
afterEach(() => point[Symbol.asyncDispose]());

const messages = (stdout: string) => readLines(stdout).map(({ message }) => message);
const temporary = async () => (await point.target.databases()).filter((db) => db.startsWith('__'));

test.each(RESTORE_STEPS)(
  'killed at %s, the same command goes on, and the rows are those of the point',
  async (step) => {
    const { storage, target } = point;
    storage.script({ restore: { outcome: { kind: 'crash', step, at: 0.5 } } });
    expect((await point.start(world.end).ended).signal).toBe('SIGKILL');
    const inLog = step === 'log-files' || step === 'summary';
    expect((await temporary()).includes(LOG_CHECKPOINT_DATABASE)).toBe(inLog);
    storage.script({});
    const { code, stdout } = await point.restore(world.end);
    expect(code).toBe(0);
    expect(stdout.includes('\nFull Restore command is skipped due to checkpoint mode for restore\n')).toBe(inLog);
    expect(messages(stdout).includes('Full Restore success summary')).toBe(!inLog);
    await point.expectRowsOf(world.end);
    expect((await target.readState()).gcRatioThreshold).toBe(1.1);
    expect(await temporary()).toEqual([]);
  },
);

test('killed again and again at whatever line it prints, it ends at the point', async () => {
  point.storage.script({ seconds: 0.3 });
  const lines = messages((await point.restore(world.end)).stdout).length;
  await point[Symbol.asyncDispose]();
  point = pointStorage(world);
  point.storage.script({ seconds: 0.3, flushSeconds: 0 });
  for (let at = 5; at < lines; at += Math.ceil(lines / 12)) {
    const run = point.start(world.end);
    run.child.stdout?.on('data', () => {
      if (run.output.stdout.split('\n').length > at) run.child.kill('SIGKILL');
    });
    await run.ended;
  }
  expect((await point.restore(world.end)).code).toBe(0);
  await point.expectRowsOf(world.end);
  expect((await point.target.readState()).gcRatioThreshold).toBe(1.1);
  expect(await temporary()).toEqual([]);
}, 60_000);

test('a TERM in the snapshot cancels it, and it can be gone on with', async () => {
  point.storage.script({ restore: { outcome: { kind: 'hang', at: 0.5 } } });
  const run = point.start(world.end);
  const flushed = async () =>
    (await point.target.readTable({ db: CHECKPOINT_DATABASE, table: 'cpt_data' }))?.rows.size ?? 0;
  await vi.waitFor(async () => expect(await flushed()).toBeGreaterThan(1), { timeout: 20_000, interval: 20 });
  run.child.kill('SIGTERM');
  const { code, stdout } = await run.ended;
  expect(code).toBe(1);
  expect(messages(stdout).filter((message) => message.endsWith('summary'))).toEqual(['Full Restore failed summary']);
  expect((await point.target.readState()).gcRatioThreshold).toBe(1.1);
  point.storage.script({});
  expect((await point.restore(world.end)).code).toBe(0);
  await point.expectRowsOf(world.end);
});

test('a signal between the two summaries is a failure of the log, and one after the second changes nothing', async () => {
  point.storage.script({ restore: { outcome: { kind: 'hang', step: 'snapshot-summary' } } });
  const between = point.start(world.end);
  const prints = (run: typeof between, text: string) =>
    vi.waitFor(() => expect(run.output.stdout).toContain(text), { timeout: 20_000, interval: 5 });
  await prints(between, 'Full Restore success summary');
  between.child.kill('SIGTERM');
  expect((await between.ended).code).toBe(1);
  point.storage.script({ waitScale: 0.3 });
  const after = point.start(world.end);
  await prints(after, 'restore log success summary');
  after.child.kill('SIGTERM');
  expect((await after.ended).code).toBe(0);
  await point.expectRowsOf(world.end);
});

test('a log that was begun without a checkpoint puts the garbage collection and the schedulers back', async () => {
  point.storage.script({ restore: { outcome: { kind: 'fail', name: 'unavailable', step: 'log-files' } } });
  const { error } = await point.restore(world.end, { more: ['--use-checkpoint=false'] });
  expect(error).toContain('rpc error: code = Unavailable');
  expect(await point.target.readState()).toMatchObject({ gcRatioThreshold: 1.1, schedulersPausedUntil: 0 });
});

test('a point before the first row has none', async () => {
  const { source } = point;
  const later = { ...world.writes, table: 'later', since: Date.now() };
  await source.changeState(({ logTask }) => ({
    writes: later,
    logTask: logTask && { ...logTask, storage: point.at('log') },
  }));
  await vi.waitFor(async () => {
    await point.br('log', 'status', '--pd', SOURCE_PD);
    expect(lastRow(later, BigInt((await source.readState()).logTask?.checkpoint ?? 0))).toBeGreaterThan(0);
  });
  expect((await point.restore(tsoAt(later.since - 1))).code).toBe(0);
  expect((await clusterDigests(point.target))['shop.later']).toBeUndefined();
});

test.each(['v7.5.0', 'v8.1.0', 'v8.5.5'])('%s restores to a point too, and goes on after a kill', async (version) => {
  point.storage.script({ version, restore: { outcome: { kind: 'crash', step: 'log-files', at: 0.5 } } });
  expect((await point.start(world.end).ended).signal).toBe('SIGKILL');
  point.storage.script({ version });
  expect((await point.restore(world.end)).code).toBe(0);
  await point.expectRowsOf(world.end);
});
