import { mkdirSync, readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { localStorage } from './storage-local.ts';
import { type TestRun, type TestStorage, testStorage } from './test-run.ts';
import { outputShape, withoutNumbers } from './testing/output-shape.ts';

// The commands of recorded runs of the real program (testdata/, of a build close to v8.5.0; lines of the PD and TiDB
// clients are cut out of them, and long values cut short), given to this one in an equal situation.

const SAMPLES = fileURLToPath(new URL('../testdata', import.meta.url));
/** What the storages of the recorded runs lay in. */
const RECORDED_ROOT = '/backup';
const REGIONS = 134;

interface Situation {
  readonly script?: object;
  /** What was done in the path before. */
  readonly before?: (path: string) => Promise<unknown>;
  /** What stdout holds when the signals are sent. */
  readonly signalAt?: string;
}

let storage: TestStorage;
beforeEach(() => {
  storage = testStorage();
});
afterEach(() => storage[Symbol.asyncDispose]());

const told = (script: object) => storage.script({ version: 'v8.5.0', regions: REGIONS, bytesPerFile: 10, ...script });
const backup = (path: string, outcome: unknown, more: readonly string[] = []) => {
  told({ outcome });
  const pd = ['--pd', '127.0.0.1:32379', '--send-credentials-to-tikv=true'];
  return storage.start(['backup', 'full', '--storage', `local://${path}`, ...pd, ...more]).ended;
};
const metaOf = (path: string) => join(path, 'backupmeta');
const SLOW = { seconds: 30, flushSeconds: 30 };

const SITUATIONS: Readonly<Record<string, Situation>> = {
  'bad-flag': {},
  'bad-storage-scheme': {},
  cancelled: { script: SLOW, signalAt: 'starting backup to' },
  'cancelled-while-waiting-for-pd': {
    script: { outcome: { kind: 'fail', name: 'pd-unreachable' }, waitScale: 1 },
    signalAt: '[WARN]',
  },
  'checksum-mismatch': { script: { outcome: 'checksum-mismatch' } },
  'config-hash-differs': { before: (path) => backup(path, 'fail') },
  'decode-empty-file': {
    before: async (path) => {
      mkdirSync(path);
      writeFileSync(metaOf(path), '');
    },
  },
  'decode-end-version': { before: (path) => backup(path, 'success') },
  'decode-truncated': {
    before: async (path) => {
      await backup(path, 'success');
      truncateSync(metaOf(path), 100);
    },
  },
  'filter-matches-nothing': {},
  killed: { script: SLOW, signalAt: 'starting backup to' },
  'lock-and-sst-without-checkpoint': { before: (path) => backup(path, 'fail', ['--use-checkpoint=false']) },
  'lock-held': { before: (path) => backup(path, 'crash') },
  'path-already-finished': { before: (path) => backup(path, 'success') },
  'pd-unreachable': { script: { outcome: { kind: 'fail', name: 'pd-unreachable' }, waitScale: 0.001 } },
  resumed: { before: (path) => backup(path, 'fail') },
  's3-refused': {},
  success: {},
  'success-json': {},
  'success-log-file': {},
  'success-with-progress': { script: { seconds: 0.5, progressIntervalSeconds: 0.3 } },
  'tikv-path-not-found': { script: { outcome: { kind: 'fail', name: 'tikv-path-not-found', at: 0 } } },
  'tikv-permission-denied': { script: { outcome: { kind: 'fail', name: 'tikv-permission-denied', at: 0 } } },
  'tikv-unknown-error': { script: { outcome: { kind: 'fail', name: 'tikv-unknown-error', at: 0 } } },
};

/** Compared in tests of their own. */
const APART = ['_finished-path', 'bad-subcommand', 'cancelled-twice', 'restore', 'version'];

const read = (sample: string, file: string) => readFileSync(join(SAMPLES, sample, file), 'utf8');
const here = (text: string) => text.replaceAll(RECORDED_ROOT, storage.root);
const there = (text: string) => text.replaceAll(storage.root, RECORDED_ROOT);

function startAgain(
  sample: string,
  script: object = {},
): { run: TestRun; path: string | undefined; signals: string[] } {
  const { argv, env, signals } = JSON.parse(read(sample, 'command.json'));
  const given = (argv as string[]).slice(1).map(here);
  told({ seconds: 0.1, ...script });
  const credentials = { AWS_ACCESS_KEY_ID: 'a', AWS_SECRET_ACCESS_KEY: 'b' };
  const [, path] = /^local:\/\/(.*)$/.exec(given[given.indexOf('--storage') + 1] ?? '') ?? [];
  const run = storage.start(given, { ...env, ...credentials, DEMO_BR_VERSION: 'v8.5.0' });
  return { run, path, signals: signals.map(([, signal]: [number, string]) => signal) };
}

const pathOf = (sample: string) => /local:\/\/[^"\s]+/.exec(read(sample, 'command.json'))?.[0].slice('local://'.length);

/** Whether all of `some` are in `all`, in the same order; else the first that is not. */
function firstOutOfOrder(some: readonly string[], all: readonly string[]): string | undefined {
  let from = 0;
  return some.find((line) => {
    const at = all.indexOf(line, from);
    from = at + 1;
    return at < 0;
  });
}

test('every recorded run has its counterpart here', () => {
  expect([...Object.keys(SITUATIONS), ...APART].toSorted()).toEqual(readdirSync(SAMPLES).toSorted());
});

test.each(Object.entries(SITUATIONS))(
  '%s: streams, exit and order of lines are those of br',
  async (sample, situation) => {
    const recordedPath = pathOf(sample);
    if (recordedPath !== undefined) await situation.before?.(here(recordedPath));
    const { run, signals } = startAgain(sample, situation.script);
    for (const signal of signals) {
      await vi.waitFor(() => expect(run.output.stdout).toContain(situation.signalAt), { timeout: 20_000, interval: 5 });
      run.child.kill(signal as NodeJS.Signals);
    }
    const { code, signal, stdout, stderr } = await run.ended;

    const command = JSON.parse(read(sample, 'command.json'));
    expect([code, signal]).toEqual([command.exitCode, command.signal]);
    const [notBr, ...errors] = there(stderr).split('\n');
    expect(notBr).toContain('not PingCAP BR');
    expect(withoutNumbers(errors.join('\n'))).toBe(withoutNumbers(read(sample, 'stderr')));

    const shape = outputShape(there(stdout));
    const recorded = outputShape(read(sample, 'stdout'));
    expect(shape.plain.map(withoutNumbers)).toEqual(recorded.plain.map(withoutNumbers));
    expect(shape.end).toEqual(recorded.end);
    // The last line of a step that failed loses its race against the end at times.
    expect(shape.steps).toEqual(code === 0 ? recorded.steps : expect.arrayContaining([...recorded.steps]));
    expect(firstOutOfOrder(shape.lines, recorded.lines)).toBeUndefined();
  },
);

test('cancelled-twice: whichever came first, exit 1 and the banner', async () => {
  const { run, signals } = startAgain('cancelled-twice', SLOW);
  await vi.waitFor(() => expect(run.output.stdout).toContain('starting backup to'), { timeout: 20_000, interval: 5 });
  for (const signal of signals) run.child.kill(signal as NodeJS.Signals);
  const { code, stdout } = await run.ended;
  expect(code).toBe(1);
  const banner = outputShape(read('cancelled-twice', 'stdout')).plain;
  expect(outputShape(stdout).plain).toEqual(banner);
});

test('version: the same six lines, with other values', async () => {
  const { run } = startAgain('version');
  const { code, stdout } = await run.ended;
  const names = (text: string) => text.split('\n').map((line) => line.split(': ')[0]);
  expect(code).toBe(0);
  expect(names(stdout)).toEqual(names(read('version', 'stdout')));
});

test('bad-subcommand: help on stdout with the same parts and at least the same flags', async () => {
  const { run } = startAgain('bad-subcommand');
  const { code, stdout } = await run.ended;
  const recorded = read('bad-subcommand', 'stdout');
  const parts = (text: string) => text.split('\n').filter((line) => line !== '' && !/^ +-/.test(line));
  const flags = (text: string) => [
    ...text.matchAll(/^ +((?:-\w, )?--[\w.-]+(?: (?:string|strings|uint|duration))?)/gm),
  ];
  const names = (text: string) => flags(text).map(([, flag]) => flag);
  expect(code).toBe(0);
  expect(parts(stdout)).toEqual(parts(recorded));
  expect(names(stdout)).toEqual(expect.arrayContaining(names(recorded)));
});

test('_finished-path: a success leaves files with the same kinds of names', async () => {
  const kinds = (names: readonly string[]) => [
    ...new Set(names.map((name) => name.replace(/\d+_\d+_[0-9a-f]{64}_\d{13}/, 'R_E_HASH_MS').replace(/^\d+\//, 'S/'))),
  ];
  const { run, path = '' } = startAgain('success');
  await run.ended;
  const recorded = read('_finished-path', 'files.tsv').trimEnd().split('\n');
  const own = kinds(await localStorage(path).list()).filter((name) => !name.endsWith('default.sst'));
  expect(own.toSorted()).toEqual(kinds(recorded.map((line) => line.split('\t')[0] ?? '')).toSorted());
});
