/** What a worker gives to a restore, in a folder of its own, with what becomes of it to be looked at; for tests. */
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import type { Env } from '@tidemark/service-kit/env';
import { openGuards } from '../../br/process.ts';
import type { CompletionAnswer } from '../../completion.ts';
import type { RestoreEnd } from '../end.ts';
import { openRunFolders } from '../run-folders.ts';
import { lookAtCollection, lookAtTarget } from '../target-look.ts';
import { type GrantedRestore, type RestoreGrant, type RestoreTaskDependencies, runRestoreTask } from '../task.ts';

export interface RunSettings {
  readonly program: string;
  /** Of the program; v8.5.0 when left out. */
  readonly version?: string;
  readonly grant: Partial<RestoreGrant> & Pick<RestoreGrant, 'tso' | 'tidbClusterId'>;
  readonly env: Env;
  /** What reports are answered. */
  readonly answer?: CompletionAnswer;
  /** Answers `starting`; yes when left out. */
  readonly announce?: GrantedRestore['lease']['announce'];
  /** Of the backup. */
  readonly path?: string;
  /** Before a source that looks damaged is looked at again; no time when left out. */
  readonly pause?: NonNullable<RestoreTaskDependencies['pause']>;
}

/** A report to backup-service. */
export interface Told {
  readonly how: 'complete' | 'release' | 'lateEnd';
  readonly end: RestoreEnd | undefined;
}

const openSignals = () => ({
  lost: new AbortController(),
  canceling: new AbortController(),
  drain: new AbortController(),
});

/** A worker with a local storage in its folder. */
export async function openTestWorker() {
  const root = mkdtempSync(join(tmpdir(), 'tidemark-restore-task-'));
  const stateDir = join(root, 'state');
  mkdirSync(stateDir);
  const guards = openGuards(stateDir);
  const folders = await openRunFolders(stateDir, { killMs: 300 });
  let signals = openSignals();
  const told: Told[] = [];
  const unreached: string[] = [];
  let printed = '';
  const storage = Storage.create({
    id: 's',
    root: 'nfs',
    location: { $case: 'local', value: { path: join(root, 'storage') } },
  });
  return {
    root,
    storage,
    get lost() {
      return signals.lost;
    },
    get canceling() {
      return signals.canceling;
    },
    get drain() {
      return signals.drain;
    },
    /** From now on nobody asks for the end of a run any more. */
    calm() {
      signals = openSignals();
    },
    told,
    /** Digests of storages that could not be reached. */
    unreached,
    /** What `br` printed, as it was sent on. */
    printed: () => printed,
    /** The folders of runs that are there. */
    kept: () => readdirSync(join(stateDir, 'restores')),
    folders,
    stateDir,
    run({
      program,
      version = 'v8.5.0',
      grant,
      env,
      answer = 'held',
      announce,
      path = 'nfs/c1/p',
      pause = async () => undefined,
    }: RunSettings): Promise<string> {
      const report = (how: Told['how']) => async (end: RestoreEnd) => {
        told.push({ how, end });
        return answer;
      };
      const granted: GrantedRestore = {
        restore: { restoreId: 'r1', claim: 'token', fence: 1n },
        facts: { requestId: 'q', restoreId: 'r1', clusterId: 'c2' },
        trace: {},
        grant: {
          order: {
            source: { storage, path, key: undefined },
            target: { pd: ['10.0.0.2:2379'], tls: undefined },
            options: {},
          },
          rateLimit: undefined,
          targetVersion: '8.5.0',
          existingTablesAccepted: false,
          marker: undefined,
          manifestKeys: [],
          signed: false,
          unsoundAccepted: false,
          storageDigest: 'd',
          brVersion: undefined,
          argvBefore: [],
          wasPartial: false,
          failures: 0,
          waits: 0,
          remainingMs: 60_000,
          ...grant,
        },
        lease: {
          lost: signals.lost.signal,
          canceling: signals.canceling.signal,
          report: () => undefined,
          waitsFor: () => undefined,
          guardWith: (keepAlive) => keepAlive(),
          announce: announce ?? (async () => performance.now() + 60_000),
        },
      };
      const dependencies: RestoreTaskDependencies = {
        reports: {
          complete: report('complete'),
          release: report('release'),
          async lateEnd({ end }) {
            told.push({ how: 'lateEnd', end });
            return answer !== 'unanswered';
          },
        },
        folders,
        programs: { usable: () => [{ path: program, version }] },
        guards,
        env,
        timing: { guardMs: 60_000, killMs: 300, graceMs: 30_000 },
        metadataBytes: 1_000_000,
        reach: { failed: (_, digest) => void unreached.push(digest), worked: () => undefined },
        drain: signals.drain.signal,
        lookAtTarget,
        lookAtCollection,
        pause,
        startRecorder: () => ({
          push(chunk) {
            printed += chunk;
          },
          finish: async () => undefined,
        }),
      };
      return runRestoreTask(granted, dependencies);
    },
    [Symbol.dispose]() {
      guards[Symbol.dispose]();
      rmSync(root, { recursive: true, force: true });
    },
  };
}

export type TestWorker = Awaited<ReturnType<typeof openTestWorker>>;
