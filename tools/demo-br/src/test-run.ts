import { type ChildProcess, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type DemoCluster, demoCluster } from './demo-cluster.ts';
import { SCRIPT_FILE } from './script.ts';

// For this package's tests only: the real program in a folder of its own.

const PROGRAM = fileURLToPath(new URL('../bin/demo-br', import.meta.url));

/** A run of the program, under way. */
export interface TestRun {
  readonly child: ChildProcess;
  /** What it has printed so far. */
  readonly output: { stdout: string; stderr: string };
  readonly ended: Promise<TestResult>;
}

export interface TestResult {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A storage root with a script, removed when disposed; every process that was started in it is killed then. */
export interface TestStorage extends AsyncDisposable {
  readonly root: string;
  /** The demo cluster of these PD addresses, whose folder is under the root too. */
  cluster(pd: string): DemoCluster;
  /** A backup's folder under the root. */
  path(name: string): string;
  /** (Re)writes `demo-br.json` in the root. */
  script(fields: object): void;
  /** Starts the program with exactly these arguments. */
  start(argv: readonly string[], env?: NodeJS.ProcessEnv): TestRun;
  /** The texts of all tables of a cluster, by `db/table.tsv`, and its databases without a table. */
  contentOf(pd: string): Record<string, string>;
  /** Starts `restore full` from a path of this name into the cluster TARGET_PD, logging to stdout. */
  restore(name: string, more?: readonly string[], env?: NodeJS.ProcessEnv): TestRun;
  /** Starts `backup full` into a path of this name, logging to stdout. */
  backup(name: string, more?: readonly string[], env?: NodeJS.ProcessEnv): TestRun;
}

/** Of the cluster that `restore` writes. */
export const TARGET_PD = '10.0.0.2:2379';

/** Of the cluster that `backup` reads. */
export const SOURCE_PD = '10.0.0.1:2379';

export const QUICK = { seconds: 0.1, regions: 6, bytesPerFile: 200, flushSeconds: 0 } as const;

/** Makes a storage root whose script is `fields`, quick unless they say otherwise. */
export function testStorage(fields: object = {}): TestStorage {
  const root = mkdtempSync(join(tmpdir(), 'demo-br-'));
  const runs: TestRun[] = [];
  const storage: TestStorage = {
    root,
    cluster: (pd) => demoCluster(join(root, 'clusters'), [pd], QUICK),
    path: (name) => join(root, name),
    script: (more) => writeFileSync(join(root, SCRIPT_FILE), JSON.stringify({ ...QUICK, ...more })),
    start(argv, env = {}) {
      const run = startProgram(
        argv,
        { PATH: process.env.PATH, TMPDIR: root, DEMO_BR_CLUSTERS: join(root, 'clusters'), ...env },
        root,
      );
      runs.push(run);
      return run;
    },
    backup(name, more = [], env = {}) {
      const argv = ['backup', 'full', '--pd', SOURCE_PD, '--storage', `local://${root}/${name}`];
      return storage.start([...argv, '--checksum=false', ...more], { BR_LOG_TO_TERM: '1', ...env });
    },
    contentOf(pd) {
      const { folder } = storage.cluster(pd);
      const names = readdirSync(folder, { recursive: true, encoding: 'utf8' });
      const files = names.filter((name) => name.endsWith('.tsv'));
      const databases = names.filter((name) => !/[./]/.test(name));
      const empty = databases.filter((db) => !files.some((file) => file.startsWith(`${db}/`)));
      const texts = files.map((name) => [name, readFileSync(join(folder, name), 'utf8')] as const);
      return Object.fromEntries([...texts, ...empty.map((name) => [name, ''] as const)]);
    },
    restore(name, more = [], env = {}) {
      const words = more[0] === 'db' || more[0] === 'table' ? [] : ['full'];
      const argv = ['restore', ...words, ...more, '--pd', TARGET_PD, '--storage', `local://${root}/${name}`];
      return storage.start(argv, { BR_LOG_TO_TERM: '1', ...env });
    },
    async [Symbol.asyncDispose]() {
      for (const { child } of runs) child.kill('SIGKILL');
      await Promise.all(runs.map((run) => run.ended));
      rmSync(root, { recursive: true, force: true });
    },
  };
  mkdirSync(root, { recursive: true });
  storage.script(fields);
  return storage;
}

function startProgram(argv: readonly string[], env: NodeJS.ProcessEnv, cwd: string): TestRun {
  const child = spawn(PROGRAM, argv, { env, cwd, stdio: ['ignore', 'pipe', 'pipe'] });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  const ended = new Promise<TestResult>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => resolve({ code, signal, ...output }));
  });
  return { child, output, ended };
}

/** A log line, read with the expressions of br-contract 3.2. */
export interface ReadLine {
  readonly time: string;
  readonly level: string;
  readonly caller: string;
  readonly message: string;
  readonly fields: Readonly<Record<string, string>>;
}

const HEAD = /^\[(\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d\.\d{3} [+-]\d\d:\d\d)\] \[([A-Z]+)\] \[([^\]\s]+)\] /;
const TOKEN = /\[((?:"(?:[^"\\]|\\.)*"|[^\]"\\])*)\]/g;
const PAIR = /^("(?:[^"\\]|\\.)*"|[^=]+)=([\s\S]*)$/;

const unquoted = (text = ''): string => (text.startsWith('"') ? (JSON.parse(text) as string) : text);

/** The log lines in an output; whatever is not one is left out. */
export function readLines(output: string): ReadLine[] {
  return output.split('\n').flatMap((line) => {
    const head = HEAD.exec(line);
    if (head === null) return [];
    const [whole, time = '', level = '', caller = ''] = head;
    const [message = '', ...pairs] = [...line.slice(whole.length).matchAll(TOKEN)].map(([, token = '']) => token);
    const fields = pairs.map((pair) => {
      const [, key, value] = PAIR.exec(pair) ?? [];
      return [unquoted(key), unquoted(value)];
    });
    return [{ time, level, caller, message: unquoted(message), fields: Object.fromEntries(fields) }];
  });
}

/** The fields of the first line with this message; fails the test if there is none. */
export function fieldsOf(output: string, message: string): Readonly<Record<string, string>> {
  const line = readLines(output).find((candidate) => candidate.message === message);
  if (line === undefined) throw new Error(`no line "${message}" in:\n${output}`);
  return line.fields;
}
