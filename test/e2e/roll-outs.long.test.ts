/**
 * Promise: a roll-out interrupts nothing. Under load, again and again, every process is replaced as its kind is rolled out: one copy at a time is told to
 * end (TERM) and started anew, the next one once it is ready; workers drain. Nothing that was accepted is lost, no `br` is ended, no backup begins
 * twice, and what a caller is told meanwhile is an answer or something to ask again.
 *
 * TIDEMARK_ROLL_OUT_MINUTES (3) says for how long, and TIDEMARK_ROLL_OUT_SECONDS (20) how often a round begins:
 * TIDEMARK_ROLL_OUT_MINUTES=60 TIDEMARK_ROLL_OUT_SECONDS=120 npm test -- e2e/roll-outs
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { StackProcess } from '@tidemark/local-stack/stack-process';
import { expect, it } from 'vitest';
import { type BackupRecord, openSince, overlaps, startTidemark, type Tidemark } from './tidemark.ts';

const MINUTE_MS = 60_000;
const LONG_MS = Number(process.env.TIDEMARK_ROLL_OUT_MINUTES ?? 3) * MINUTE_MS;
const ROUND_MS = Number(process.env.TIDEMARK_ROLL_OUT_SECONDS ?? 20) * 1_000;
/** In the order of docs/operations.md: the gateway last. */
const KINDS = ['executor-worker', 'scheduler-service', 'backup-service', 'strategy-service', 'gateway'] as const;
const COPIES = 2;
/** How long the `br` of each customer takes, in seconds: the last are at work while several processes are replaced. */
const CUSTOMERS = [0.5, 0.5, 1, 1, 2, 4, 15, 30];
/**
 * The lease and the guard of a `br` as people have them. With a tenth of that, as other tests have it, a guard ends its `br` where a busy machine
 * takes two seconds to start a backup-service anew.
 */
const AS_SHIPPED = {
  TIDEMARK_LEASE_SECONDS: '30',
  TIDEMARK_RENEW_SECONDS: '10',
  TIDEMARK_CALL_SECONDS: '5',
  TIDEMARK_GUARD_SECONDS: '20',
  TIDEMARK_KILL_SECONDS: '5',
  TIDEMARK_REAP_MARGIN_SECONDS: '5',
  TIDEMARK_CLAIM_SECONDS: '10',
  TIDEMARK_SPAWN_SECONDS: '20',
};
const ANSWER_MS = 15_000;
const PAUSE_MS = 250;
const TRIES = 40;
const LOOK_MS = 500;

interface Told {
  readonly status: number;
  readonly text: string;
}

/** Calls that are made again until they are answered, by whichever gateway is there; what else was told is counted. */
function createCaller({ stack }: Tidemark, answers: Map<string, number>) {
  const gateways = stack.processes.filter(({ kind }) => kind === 'gateway');
  let turn = 0;
  const ask = async (method: string, path: string, headers: Record<string, string>, body?: object): Promise<Told> => {
    const gateway = gateways[turn++ % gateways.length] as StackProcess;
    const response = await fetch(`http://${gateway.address}/api/v1${path}`, {
      method,
      headers: { authorization: `Bearer ${stack.token}`, 'content-type': 'application/json', ...headers },
      ...(body && { body: JSON.stringify(body) }),
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    return { status: response.status, text: await response.text() };
  };
  const count = (what: string) => answers.set(what, (answers.get(what) ?? 0) + 1);

  return async function call<T>(method: string, path: string, body?: object): Promise<T> {
    const headers = { 'idempotency-key': randomUUID() };
    for (let tries = 1; ; tries += 1) {
      let told: Told | undefined;
      try {
        told = await ask(method, path, method === 'POST' ? headers : {}, body);
        count(String(told.status));
      } catch (error) {
        const { name, cause } = error as Error & { cause?: { code?: string } };
        count(cause?.code ?? name);
      }
      if (told?.status === 200) return (JSON.parse(told.text) as { data: T }).data;
      // The try before was carried out, though its answer never came.
      const isGone = method === 'DELETE' && told?.status === 404;
      const isOver = path.endsWith('/cancel') && told?.status === 409 && told.text.includes('"state":"Canceled"');
      if (tries > 1 && (isGone || isOver)) return {} as T;
      if (path.endsWith('/cancel') && told?.status === 409 && told.text.includes('"state":"Succeeded"'))
        return { wasLate: true } as T;
      if (tries === TRIES || (told && told.status !== 503 && told.status !== 429))
        throw new Error(`${method} ${path}: ${told ? `${told.status} ${told.text}` : 'no answer'}`);
      await sleep(PAUSE_MS);
    }
  };
}

type Call = ReturnType<typeof createCaller>;

/** Backs a cluster up, again and again, cancels every fourth backup, deletes every third, and looks at lists. */
async function customer(
  clusterId: string,
  call: Call,
  isOver: () => boolean,
): Promise<Record<string, 'canceled' | 'kept'>> {
  const accepted: Record<string, 'canceled' | 'kept'> = {};
  const read = async (id: string) => (await call<{ backup: BackupRecord }>('GET', `/backups/${id}`)).backup;
  for (let count = 1; !isOver(); count += 1) {
    const { backupId } = await call<{ backupId: string }>('POST', '/backups', { clusterId });
    const asked = { clusterId, backupId };
    // On a busy machine one may have succeeded before it is canceled.
    const isCanceled = count % 4 === 0 && !(await call<{ wasLate?: true }>('POST', '/backups/cancel', asked)).wasLate;
    accepted[backupId] = isCanceled ? 'canceled' : 'kept';
    while (['Queued', 'Running', 'Canceling'].includes((await read(backupId)).state)) await sleep(LOOK_MS);
    if (count % 3 === 0) await call('DELETE', `/backups/${backupId}`, {});
    const { backupRecords } = await call<{ backupRecords: BackupRecord[] }>('GET', `/backups?clusterId=${clusterId}`);
    expect(backupRecords.length).toBeGreaterThan(0);
    await call('GET', '/fleet?pageSize=10');
  }
  return accepted;
}

/** Replaces the copies of each kind, all kinds at once, one copy after the other. */
async function rollOut({ stack }: Tidemark, done: Map<string, number>): Promise<void> {
  await Promise.all(
    KINDS.map(async (kind) => {
      for (const one of stack.processes.filter((process) => process.kind === kind)) {
        await one.restart();
        done.set(one.name, (done.get(one.name) ?? 0) + 1);
      }
    }),
  );
}

it(
  'replaces every process under load, and interrupts nothing',
  async () => {
    await using tidemark = await startTidemark({
      copies: Object.fromEntries(KINDS.map((kind) => [kind, COPIES])),
      env: { 'executor-worker': { TIDEMARK_DRAIN_SECONDS: '120' }, all: { ...AS_SHIPPED, TIDEMARK_SLOTS: '8' } },
    });
    const clusters = await Promise.all(
      CUSTOMERS.map(async (seconds, index) => {
        const id = await tidemark.cluster(`customer-${index}`, { pd: [`10.1.0.${index}:2379`] });
        tidemark.demo({ seconds, progressIntervalSeconds: 0.2, regions: 3, bytesPerFile: 100 }, id);
        return id;
      }),
    );
    const planned = await tidemark.cluster('planned', { pd: ['10.1.1.1:2379'] });
    const answers = new Map<string, number>();
    const done = new Map<string, number>();
    const call = createCaller(tidemark, answers);
    const endsAt = performance.now() + LONG_MS;
    let hasFailed = false;
    const isOver = () => hasFailed || performance.now() > endsAt;
    const orStop = async <T>(work: Promise<T>): Promise<T> => {
      try {
        return await work;
      } catch (error) {
        hasFailed = true;
        throw error;
      }
    };

    let rounds = 0;
    const rolling = async () => {
      await tidemark.saveRule(planned, 'default', openSince(1));
      for (; !isOver(); rounds += 1) {
        const next = sleep(ROUND_MS);
        await rollOut(tidemark, done);
        await next;
      }
    };
    // All end before the stack does, whatever fails.
    const ended = await Promise.allSettled([
      orStop(rolling()),
      ...clusters.map((id) => orStop(customer(id, call, isOver))),
    ]);
    const failures = ended.flatMap((one) => (one.status === 'rejected' ? [one.reason as unknown] : []));
    if (failures.length > 0) throw failures[0];
    const accepted = ended.flatMap((one) => (one.status === 'fulfilled' && one.value ? [one.value] : []));

    const records: (BackupRecord & { readonly wish: 'canceled' | 'kept' })[] = [];
    for (const [id, wish] of accepted.flatMap((some) => Object.entries(some)))
      records.push({ ...(await tidemark.record(id)), wish });
    const ends = Map.groupBy(records, ({ state }) => state);
    console.log(
      `${rounds} rounds of roll-outs in ${Math.round(LONG_MS / MINUTE_MS)} minutes; ${[...ends].map(([state, { length }]) => `${length} ${state}`).join(', ')}; answers: ${[...answers].map(([what, n]) => `${n} ${what}`).join(', ')}`,
    );
    const runs = tidemark.ledger().flatMap(({ event, path }) => (event === 'start' ? [path] : []));
    expect(runs.length).toBeGreaterThan(0);
    for (const { id, state, wish, attempts, reason } of records) {
      expect(
        wish === 'canceled' ? ['Canceled', 'Succeeded'] : ['Succeeded'],
        `${id} ${JSON.stringify(reason)}`,
      ).toContain(state);
      // One that is handed back before its br began interrupts nothing: on a busy machine br may not be started in time.
      const begun = runs.filter((path) => attempts.some(({ filePath }) => path.endsWith(`/${filePath}`)));
      expect(begun.length, `attempts of ${id}: ${JSON.stringify(attempts)}`).toBeLessThanOrEqual(1);
    }
    await tidemark.windowStarted(planned);
    expect(overlaps(tidemark.ledger())).toEqual([]);
    expect(rounds).toBeGreaterThan(1);
    for (const { name } of tidemark.stack.processes) expect(done.get(name), name).toBe(rounds);
  },
  LONG_MS + 10 * MINUTE_MS,
);
