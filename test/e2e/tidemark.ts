/** A whole Tidemark for one test file: real processes over the shared servers, with short leases. */
import { randomUUID } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type DemoCluster, demoCluster } from '@tidemark/demo-br/demo-cluster';
import { CLUSTERS_FOLDER } from '@tidemark/demo-br/demo-cluster-options';
import { type Stack, type StackOptions, startStack } from '@tidemark/local-stack/stack';
import { lastWords } from '@tidemark/local-stack/until-listening';
import { deleteNamespace } from '@tidemark/messaging/topology';
import { dropTestDatabase } from '@tidemark/mongo/testing/drop-test-database';
import { isOver, readStat } from '@tidemark/processes/stat';
import { MongoClient } from 'mongodb';
import { expect, inject, vi } from 'vitest';
import { type LedgerLine, readLedger } from './ledger.ts';
import { TIMING } from './timing.ts';

/** Of demo clusters that a test touches; those that it leaves alone are as large as their script says. */
const SAMPLE_SIZE = { regions: 5, bytesPerFile: 1_000 };
/** How often a call is made again that a busy machine could not answer. */
const BUSY_TRIES = 20;
const BUSY_MS = 250;

export const EVERY_DAY = 'Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday';

/** `H:MM` in UTC, so many minutes from a moment, which is now unless told. */
export function inMinutes(minutes: number, from = Date.now()): string {
  const time = new Date(from + minutes * 60_000);
  return `${time.getUTCHours()}:${String(time.getUTCMinutes()).padStart(2, '0')}`;
}

/** A rule of every day whose window opened so many minutes ago and stays open for an hour. */
export function openSince(minutes: number) {
  return { backupDate: EVERY_DAY, period: `${inMinutes(-minutes)}-${inMinutes(60)}`, timeZone: 'UTC' };
}

/** A rule of every day whose window opens in two hours, or in so many, and is open for one. */
export function opensLater(hours = 2) {
  const opens = 60 * hours;
  return { backupDate: EVERY_DAY, period: `${inMinutes(opens)}-${inMinutes(opens + 60)}`, timeZone: 'UTC' };
}

/** The record of the documented API, as far as tests look at it. */
export interface BackupRecord {
  readonly id: string;
  readonly clusterId: string;
  readonly status: string;
  readonly state: string;
  readonly filePath: string;
  readonly size: number;
  readonly sizeBytes: number;
  readonly backupTso: string;
  readonly endTime: string;
  readonly origin: string;
  readonly rule?: string;
  readonly pinned: boolean;
  readonly holds: readonly string[];
  readonly verification?: {
    readonly state: string;
    readonly level: string;
    readonly verdict: string;
    readonly problems: readonly { readonly kind: string; readonly name: string }[];
    readonly problemCount: number;
    readonly damaged: boolean;
    readonly signature?: { readonly state: string; readonly keyId?: string };
    readonly waitsFor?: string;
    readonly worker?: string;
    readonly progress?: { readonly bytesRead: number; readonly bytesInAll: number; readonly files: number };
  };
  readonly keepReasons?: readonly string[];
  readonly createdBy: string;
  readonly progress: { readonly percent: number; readonly step: string };
  readonly reason?: { readonly code: string; readonly message: string };
  readonly nextTryTime?: string;
  readonly estimate?: { readonly writtenBytes: number; readonly percent?: number };
  readonly waiting?: { readonly code: string; readonly store?: string; readonly since: string };
  readonly deletion: {
    readonly state: string;
    readonly by?: string;
    readonly reason?: string;
    readonly error?: string;
  };
  readonly attempts: readonly {
    readonly worker: string;
    readonly outcome: string;
    readonly filePath: string;
    /** Absent where no br was begun. */
    readonly argv?: readonly string[];
  }[];
}

/** A rule of a cluster, as far as tests look at it. */
export interface StrategyView {
  readonly rule: string;
  readonly backupDate: string;
  readonly period: string;
  readonly paused: boolean;
  readonly pausedBy?: string;
  readonly source: { readonly kind: string; readonly name?: string };
  readonly nextWindow?: { readonly opensAt: string; readonly closesAt: string; readonly startAt: string };
}

/** What became of a window. */
export interface OccurrenceView {
  readonly rule: string;
  readonly state: string;
  readonly code?: string;
  readonly backupId?: string;
}

export interface Answer<T = Record<string, unknown>> {
  readonly status: number;
  readonly headers: Headers;
  readonly code: number;
  readonly message: string;
  readonly data: T;
  readonly page?: { readonly total: number };
  readonly details?: Readonly<Record<string, unknown>>;
}

export interface Tidemark extends AsyncDisposable {
  readonly stack: Stack;
  /** The name of its database on the server. */
  readonly database: string;
  call<T = Record<string, unknown>>(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer<T>>;
  /** The same, asked again where a busy machine could not answer, as scripts do. */
  patiently: Tidemark['call'];
  /** Registers a cluster of its own; answers its id. */
  cluster(name: string, settings?: Record<string, unknown>): Promise<string>;
  /** Saves a rule of a cluster, which must be taken; answers what the API does. */
  saveRule(
    clusterId: string,
    rule: string,
    strategy: Record<string, unknown>,
  ): Promise<{ readonly strategy: StrategyView }>;
  /** What its preview says that may surprise of a rule; an answer to its save may go without, where that takes long. */
  warnings(clusterId: string, rule?: string): Promise<readonly string[]>;
  rule(clusterId: string, rule?: string): Promise<StrategyView>;
  /** Backups of a cluster, newest first. */
  backups(clusterId: string, filter?: string): Promise<BackupRecord[]>;
  occurrences(clusterId: string): Promise<OccurrenceView[]>;
  /** Waits until a window of a rule started its backup; answers the backup's id. */
  windowStarted(clusterId: string, rule?: string): Promise<string>;
  /** The made-up cluster that demo-br backs up and restores under these PD addresses, with its tables. */
  demoCluster(...pd: readonly string[]): DemoCluster;
  /** Steers demo-br for everything in this stack, or for one cluster. */
  demo(script: Record<string, unknown>, clusterId?: string): void;
  start(clusterId: string): Promise<string>;
  record(backupId: string): Promise<BackupRecord>;
  /** Waits until the record is as wanted; fails with the record as it is. */
  until(backupId: string, wanted: (record: BackupRecord) => boolean, seconds?: number): Promise<BackupRecord>;
  untilState(backupId: string, state: string, seconds?: number): Promise<BackupRecord>;
  /** Files below a path of the storage. */
  files(path: string): string[];
  ledger(): LedgerLine[];
  /** Waits until br has started for a cluster, the so-manieth time; answers its line. */
  brStarted(clusterId: string, times?: number): Promise<LedgerLine>;
  /** Lines that processes logged, parsed. */
  logs(process?: string): Record<string, unknown>[];
}

/** Starts one, with one worker unless told; `options.env.all` overrides the short times. */
export async function startTidemark(options: StackOptions & { readonly ownServers?: boolean } = {}): Promise<Tidemark> {
  const name = `test-${Math.random().toString(36).slice(2, 10)}`;
  const { ownServers = false, ...rest } = options;
  let started: Stack | undefined;
  const stack = await startStack({
    say: (line) => tellUnaskedEnd(line, started),
    ...(ownServers ? {} : { amqpUrl: inject('amqpUrl'), mongodbUrl: inject('mongodbUrl') }),
    restart: false,
    ...rest,
    copies: { 'executor-worker': 1, ...rest.copies },
    env: {
      ...rest.env,
      all: {
        ...TIMING,
        TIDEMARK_LOG_LEVEL: 'info',
        TIDEMARK_AMQP_NAMESPACE: name,
        TIDEMARK_MONGODB_DATABASE: name,
        ...rest.env?.all,
      },
    },
  });
  started = stack;
  const ledgerFile = join(stack.storage, 'ledger.jsonl');
  const demo: Tidemark['demo'] = (script, clusterId) => {
    const folder = clusterId === undefined ? stack.storage : join(stack.storage, 'nfs', 'em', 'backup', clusterId);
    mkdirSync(folder, { recursive: true });
    const ledger = { ledger: ledgerFile, lockTtlSeconds: 1, flushSeconds: 0 };
    writeFileSync(join(folder, 'demo-br.json'), JSON.stringify({ ...ledger, ...script }));
  };
  demo({ seconds: 0.4, progressIntervalSeconds: 0.1 });

  const call: Tidemark['call'] = async (method, path, body, headers = {}) => {
    const response = await fetch(`${stack.url}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${stack.token}`, 'content-type': 'application/json', ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(15_000),
    });
    const answer = (await response.json()) as Omit<Answer<never>, 'status' | 'headers'>;
    return { ...answer, status: response.status, headers: response.headers };
  };
  /** As scripts do where a test is not about that: too much to do just now is asked again, starts with their key. */
  const patiently: Tidemark['call'] = async (method, path, body, further = {}) => {
    const headers = { ...(method === 'POST' && { 'idempotency-key': randomUUID() }), ...further };
    for (let tries = BUSY_TRIES; ; tries -= 1) {
      const answer = await call<never>(method, path, body, headers);
      if (answer.status !== 503 || tries === 1) return answer;
      await sleep(BUSY_MS);
    }
  };
  const record: Tidemark['record'] = async (backupId) => {
    const { data, message } = await call<{ backup?: BackupRecord }>('GET', `/backups/${backupId}`);
    if (!data.backup) throw new Error(message);
    return data.backup;
  };
  const until: Tidemark['until'] = async (backupId, wanted, seconds = 50) => {
    let last: BackupRecord | undefined;
    try {
      return await vi.waitFor(
        async () => {
          last = await record(backupId);
          if (!wanted(last)) throw new Error('not yet');
          return last;
        },
        { timeout: seconds * 1000, interval: 100 },
      );
    } catch (error) {
      throw new Error(`the record did not become what was wanted: ${JSON.stringify(last)}`, { cause: error });
    }
  };
  const backups: Tidemark['backups'] = async (clusterId, filter = '') => {
    const path = `/backups?clusterId=${clusterId}&pageSize=100${filter}`;
    return (await patiently<{ backupRecords: BackupRecord[] }>('GET', path)).data.backupRecords;
  };
  const occurrences: Tidemark['occurrences'] = async (clusterId) =>
    (await patiently<{ occurrences: OccurrenceView[] }>('GET', `/clusters/${clusterId}/occurrences?pageSize=100`)).data
      .occurrences;
  const ledger = () => readLedger(ledgerFile);
  return {
    stack,
    database: rest.env?.all?.TIDEMARK_MONGODB_DATABASE ?? name,
    call,
    patiently,
    demo,
    demoCluster: (...pd) => demoCluster(join(stack.dataDir, CLUSTERS_FOLDER), pd, SAMPLE_SIZE),
    record,
    until,
    untilState: (backupId, state, seconds) => until(backupId, (one) => one.state === state, seconds),
    async cluster(prefix, settings = {}) {
      const id = `${prefix}-${Math.random().toString(36).slice(2, 8)}`;
      const answer = await patiently('PUT', `/clusters/${id}`, {
        pd: ['127.0.0.1:2379'],
        version: '8.5.0',
        storageId: 'local',
        ...settings,
      });
      expect(answer.code, answer.message).toBe(0);
      return id;
    },
    async saveRule(clusterId, rule, strategy) {
      const path = `/clusters/${clusterId}/strategies/${rule}`;
      const answer = await patiently<{ strategy: StrategyView }>('PUT', path, { strategy });
      expect(answer.code, answer.message).toBe(0);
      return answer.data;
    },
    async warnings(clusterId, rule = 'default') {
      const path = `/clusters/${clusterId}/strategies/${rule}/preview`;
      const answer = await patiently<{ warnings: string[] }>('POST', path, {});
      expect(answer.code, answer.message).toBe(0);
      return answer.data.warnings;
    },
    async rule(clusterId, rule = 'default') {
      const path = `/clusters/${clusterId}/strategies/${rule}`;
      const { data, message } = await patiently<{ strategy?: StrategyView }>('GET', path);
      if (!data.strategy) throw new Error(message);
      return data.strategy;
    },
    backups,
    occurrences,
    windowStarted: (clusterId, rule = 'default') =>
      vi.waitFor(
        async () => {
          const found = (await occurrences(clusterId)).find((one) => one.rule === rule && one.state === 'Started');
          if (!found?.backupId) throw new Error(`no window of ${rule} has started a backup of ${clusterId}`);
          return found.backupId;
        },
        { timeout: 30_000, interval: 100 },
      ),
    async start(clusterId) {
      const { data, code, message } = await patiently<{ backupId: string }>('POST', '/backups', { clusterId });
      expect(code, message).toBe(0);
      return data.backupId;
    },
    files: (path) => listFiles(join(stack.storage, path)),
    ledger,
    brStarted: (clusterId, times = 1) =>
      vi.waitFor(
        () => {
          const line = ledger().filter(({ path, event }) => path.includes(clusterId) && event === 'start')[times - 1];
          if (!line) throw new Error(`br has not started ${times} times for ${clusterId}`);
          return line;
        },
        { timeout: 30_000, interval: 100 },
      ),
    logs(process) {
      const chosen = stack.processes.filter((one) => process === undefined || one.name === process);
      return chosen.flatMap(({ logFile }) =>
        readFileSync(logFile, 'utf8')
          .split('\n')
          .flatMap((line) => {
            try {
              return [JSON.parse(line) as Record<string, unknown>];
            } catch {
              return []; // what node itself prints
            }
          }),
      );
    },
    async [Symbol.asyncDispose]() {
      for (const one of stack.processes) if (one.running) one.kill('SIGCONT');
      await stack[Symbol.asyncDispose]();
      if (ownServers) return;
      await deleteNamespace(inject('amqpUrl'), name, ['default']);
      const mongo = new MongoClient(inject('mongodbUrl'));
      await dropTestDatabase(mongo.db(name));
      await mongo.close();
    },
  };
}

/** A process that ended by itself fails tests far from the reason, which its log has; by signals tests end it themselves. */
function tellUnaskedEnd(line: string, stack: Stack | undefined): void {
  const [, name] = /^(\S+) ended unasked \((?!SIGKILL|exit code 0)/.exec(line) ?? [];
  const ended = stack?.processes.find((one) => one.name === name);
  if (ended) console.error(`${line}${lastWords(ended)}`);
}

function listFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1));
}

/**
 * Pairs of runs that were at work at the same time in one path (T13). A run that was killed wrote no end; it counts as
 * over when its path is started again only if its process is really gone.
 */
export function overlaps(lines: readonly LedgerLine[]): string[] {
  const open = new Map<number, LedgerLine>();
  const found: string[] = [];
  for (const line of lines) {
    if (line.event === 'end') {
      open.delete(line.pid);
      continue;
    }
    for (const other of open.values())
      if (other.path === line.path && isRunning(other.pid)) found.push(`${line.path}: ${other.pid} and ${line.pid}`);
    open.set(line.pid, line);
  }
  return found;
}

/** Whether a process still runs; one that is only waiting to be collected does not. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    if (process.platform !== 'linux') return true;
    const stat = readStat(pid);
    return stat !== undefined && !isOver(stat);
  } catch {
    return false; // it has gone
  }
}
