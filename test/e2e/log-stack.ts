/** A stack whose workers look at logs every two seconds, and what tests ask of it. */
import type { DemoCluster } from '@tidemark/demo-br/demo-cluster';
import { expect, vi } from 'vitest';
import { type Answer, startTidemark, type Tidemark } from './tidemark.ts';

export const WAIT = { timeout: 60_000, interval: 200 };

export interface LogBackup {
  readonly wanted: string;
  readonly state: string;
  readonly reached: boolean;
  readonly healthy: boolean;
  readonly checkpointTime: string;
  readonly lagSeconds: number;
  readonly alarms: readonly { readonly name: string; readonly message: string }[];
  readonly generations: readonly {
    readonly number: number;
    readonly taskName: string;
    readonly path: string;
    readonly minTso: string;
    readonly maxTso: string;
    readonly open: boolean;
    readonly endedWhy: string;
    readonly truncating?: { readonly until: string; readonly activity: string };
    readonly keepReasons: readonly string[];
  }[];
  readonly cleanup: readonly { readonly taskName: string }[];
}

export interface Recovery {
  readonly ranges: readonly { readonly from: string; readonly to: string; readonly baseBackupId: string }[];
  readonly holes: readonly { readonly why: string }[];
  readonly newestTime: string;
  readonly rpoSeconds: number;
}

export interface LogStack extends AsyncDisposable {
  readonly tidemark: Tidemark;
  /** The path of the log backup of a cluster. */
  of(clusterId: string): string;
  ask(method: string, path: string, body?: unknown): Promise<LogBackup>;
  get(clusterId: string): Promise<LogBackup>;
  /** Its log backup once it is so. */
  until(clusterId: string, wanted: Partial<LogBackup>): Promise<LogBackup>;
  /** A new cluster whose log backup runs. */
  running(name: string, pd: string): Promise<string>;
  /** Stops those: looks at the logs of other tests would keep the worker busy. */
  stopAll(): Promise<void>;
  taskOf(pd: string): Promise<Awaited<ReturnType<DemoCluster['readState']>>['logTask']>;
  byHand(pd: string, change: object | null): Promise<unknown>;
}

export async function startLogStack(): Promise<LogStack> {
  const tidemark = await startTidemark({
    env: { all: { TIDEMARK_RING_SECONDS: '2', DEMO_BR_TRUNCATE_SECONDS: '2' } },
  });
  const begun: string[] = [];
  const of = (clusterId: string) => `/clusters/${clusterId}/log-backup`;
  const ask: LogStack['ask'] = async (method, path, body) => {
    const answer: Answer<{ logBackup: LogBackup }> = await tidemark.patiently(method, path, body);
    expect(answer).toMatchObject({ status: 200 });
    return answer.data.logBackup;
  };
  const get = (clusterId: string) => ask('GET', of(clusterId));
  const until: LogStack['until'] = (clusterId, wanted) =>
    vi.waitFor(async () => {
      const log = await get(clusterId);
      expect(log).toMatchObject(wanted);
      return log;
    }, WAIT);
  return {
    ...{ tidemark, of, ask, get, until },
    async running(name, pd) {
      const id = await tidemark.cluster(name, { pd: [pd] });
      begun.push(id);
      await ask('PUT', of(id), { storageId: 'local' });
      await until(id, { state: 'Running', reached: true, healthy: true });
      return id;
    },
    async stopAll() {
      for (const id of begun.splice(0)) await ask('DELETE', of(id));
    },
    taskOf: async (pd) => (await tidemark.demoCluster(pd).readState()).logTask,
    byHand(pd, change) {
      const cluster = tidemark.demoCluster(pd);
      const edit = () =>
        cluster.changeState(({ logTask }) => ({ logTask: change && logTask && { ...logTask, ...change } }));
      return cluster.alone(AbortSignal.timeout(10_000), edit);
    },
    [Symbol.asyncDispose]: () => tidemark[Symbol.asyncDispose](),
  };
}
