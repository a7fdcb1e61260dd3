/**
 * One run: plan, break, heal, settle, gather, check.
 *
 * 1. Faults and requests begin at their planned times, whatever became of earlier ones.
 * 2. Nothing is judged before everything is healed and had its time to end.
 * 3. A fault that cannot be healed ends the run without a judgement.
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { type Db, MongoClient } from 'mongodb';
import { readLedger } from '../e2e/ledger.ts';
import { byRetention, check, countAnswers, type Violation } from './checker.ts';
import { createDamagedRecords } from './damaged-records.ts';
import { contentOf, type Evidence, readDocuments, readQueues, readStorages } from './evidence.ts';
import { startFaults } from './faults.ts';
import type { FaultKind, Plan } from './plan.ts';
import { brsIn, guardsIn, type SeenProcess } from './processes.ts';
import { startWorkload } from './workload.ts';
import { openWorld, type World } from './world.ts';

export interface Result {
  readonly seed: number;
  readonly date: string;
  readonly minutes: number;
  /** From the last fault until nothing was left to do. */
  readonly settledAfterSeconds: number;
  readonly faults: Readonly<Record<string, number>>;
  /** Planned, but their target was taken or could not be had. */
  readonly leftOut: number;
  readonly requests: Readonly<Record<string, number>>;
  readonly backups: Readonly<Record<string, number>>;
  /** By state and by what they made of their targets. */
  readonly restores: Readonly<Record<string, number>>;
  /** How the attempts of restores ended. */
  readonly restoreAttempts: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  readonly windows: Readonly<Record<string, number>>;
  /** Points of logs that were restored once all was healed. */
  readonly points: Readonly<Record<string, number>>;
  /** Logs, by why each ended. */
  readonly logs: Readonly<Record<string, number>>;
  readonly runsOfBr: number;
  readonly violations: readonly Violation[];
}

export interface Outcome {
  readonly result: Result;
  readonly evidence: Evidence;
}

export interface RunOptions {
  readonly plan: Plan;
  readonly minutes: number;
  /** For data and logs; the caller removes it. */
  readonly dataDir: string;
  /** How long after the last fault everything may take to end. */
  readonly settleMs: number;
  /** Told of each step. */
  readonly say: (line: string) => void;
  /** Told of each fault and each crash too. */
  readonly detail: (line: string) => void;
  readonly signal: AbortSignal;
}

const READY_MS = 120_000;
const POLL_MS = 500;
const PROGRESS_MS = 30_000;
/** What is told of last, such as a message that no task waits for, is gone by then. */
const QUEUES_MS = 60_000;

export async function runChaos({
  plan,
  minutes,
  dataDir,
  settleMs,
  say,
  detail,
  signal,
}: RunOptions): Promise<Outcome> {
  await using resources = new AsyncDisposableStack();
  const crashes: string[] = [];
  const stop = new AbortController();
  const onAbort = () => stop.abort(signal.reason);
  signal.addEventListener('abort', onAbort, { once: true });
  resources.defer(() => signal.removeEventListener('abort', onAbort));
  const onCrash = (sentence: string) => {
    crashes.push(sentence);
    say(sentence);
  };

  mkdirSync(dataDir, { recursive: true, mode: 0o700 });
  const world = resources.use(await openWorld({ dataDir, say: detail, signal, onCrash }));
  if (!world.storage.breakable)
    say('The storage cannot be broken here (that needs root and Linux): those faults are left out');
  const client = resources.use(new MongoClient(world.database.url, { serverSelectionTimeoutMS: 5_000 }));
  const db = client.db(world.databaseName);
  const workload = await startWorkload(world, join(dataDir, 'requests.jsonl'), stop.signal);
  const damaged = createDamagedRecords(db);
  const faults = resources.use(
    startFaults(world, { stop: stop.signal, say: detail, onCrash, crowd: workload.crowd, damage: damaged.plant }),
  );
  say('All is ready; from now on things break');

  const counts: Record<string, number> = {};
  let leftOut = 0;
  let unhealed: unknown;
  const inflict = async (fault: Plan['faults'][number]) => {
    if (stop.signal.aborted) return;
    try {
      if (await faults.inflict(fault)) counts[fault.kind] = (counts[fault.kind] ?? 0) + 1;
      else leftOut += 1;
    } catch (error) {
      unhealed ??= new Error(`${fault.kind} could not be healed: ${(error as Error).message}`, { cause: error });
      stop.abort();
    }
  };
  const startedAt = performance.now();
  const atTime = async <T extends { readonly at: number }>(list: readonly T[], act: (one: T) => Promise<void>) => {
    const begun: Promise<void>[] = [];
    for (const one of list) {
      await sleep(Math.max(0, startedAt + one.at - performance.now()), undefined, { signal: stop.signal }).catch(
        () => undefined,
      );
      if (stop.signal.aborted) break;
      begun.push(act(one));
    }
    await Promise.all(begun);
  };
  const progress = setInterval(() => {
    const injected = Object.values(counts).reduce((sum, count) => sum + count, 0);
    say(`${injected} faults, ${workload.requests.length} requests`);
  }, PROGRESS_MS);
  const over = sleep(minutes * 60_000, undefined, { signal: stop.signal })
    .catch(() => undefined)
    .then(() => stop.abort());
  try {
    await Promise.all([over, atTime(plan.faults, inflict), atTime(plan.actions, workload.act)]);
  } finally {
    clearInterval(progress);
  }
  signal.throwIfAborted();
  if (unhealed) throw unhealed;

  say('All faults are over; everything is healed and may end');
  const healedFrom = performance.now();
  await faults.untilHealed(AbortSignal.any([signal, AbortSignal.timeout(READY_MS)]));
  const isSettled = await untilSettled(db, settleMs, signal);
  const unfinished = await workload.restores.finish(AbortSignal.any([signal, AbortSignal.timeout(settleMs)]));
  const logs = await workload.logs.finish(AbortSignal.any([signal, AbortSignal.timeout(settleMs)]));
  const settled = (await untilSettled(db, settleMs, signal)) && isSettled;
  const settledAfterSeconds = Math.round((performance.now() - healedFrom) / 1000);
  say(
    settled
      ? `Nothing is left to do after ${settledAfterSeconds} s`
      : 'Not everything has ended; it is judged as it is',
  );

  const evidence: Evidence = {
    ...(await readDocuments(db)),
    ...(await readStorages([contentOf(world.storage.folder), await world.objects.content()])),
    requests: [...workload.requests],
    logs,
    sights: workload.restores.sights,
    backedUp: workload.restores.backedUp,
    unfinished,
    ledger: readLedger(world.ledgerFile),
    orphans: orphansIn(world).map(({ pid, command }) => `${pid}: ${command.slice(0, 300)}`),
    messages: await untilQueuesEmpty(world, signal),
    crashes: [...crashes],
    mountLosses: [...faults.mountLosses],
    damagedRecords: await damaged.look(),
  };
  return { result: toResult({ plan, minutes, counts, leftOut, settledAfterSeconds }, evidence), evidence };
}

/** Every `br`, and the guards that no worker has. */
function orphansIn({ brMarks, disk, stack }: World): SeenProcess[] {
  const workers = new Set(stack.processes.map(({ pid }) => pid));
  return [...brsIn(brMarks), ...guardsIn(disk.folder).filter(({ parent }) => !workers.has(parent))];
}

/** Until no document has work left, and no window that is over waits to be accounted for. */
async function untilSettled(db: Db, settleMs: number, signal: AbortSignal): Promise<boolean> {
  const giveUpAt = performance.now() + settleMs;
  while (performance.now() < giveUpAt) {
    signal.throwIfAborted();
    const { backups, restores, occurrences, takenAt } = await readDocuments(db);
    const busy = [...backups, ...restores].filter(({ task }) => task !== null).length;
    const open = occurrences.filter(({ state, closesAt }) => state === 'Pending' && +closesAt < takenAt).length;
    if (busy === 0 && open === 0) return true;
    await sleep(POLL_MS, undefined, { signal });
  }
  return false;
}

async function untilQueuesEmpty({ broker }: World, signal: AbortSignal): Promise<Record<string, number>> {
  if (!broker.control) return {};
  const giveUpAt = performance.now() + QUEUES_MS;
  for (;;) {
    const queues = readQueues(await broker.control(['list_queues', '--silent', 'name', 'messages']));
    const waiting = Object.values(queues).some((count) => count > 0);
    if (!waiting || performance.now() > giveUpAt) return queues;
    await sleep(POLL_MS, undefined, { signal });
  }
}

function toResult({ plan, minutes, counts, leftOut, settledAfterSeconds }: RunFacts, evidence: Evidence): Result {
  const { requests, backups, restores, occurrences, ledger } = evidence;
  return {
    seed: plan.seed,
    date: new Date().toISOString(),
    minutes,
    settledAfterSeconds,
    faults: counts,
    leftOut,
    requests: countAnswers(requests),
    backups: countBy(backups, ({ state, deletion }) => {
      if (deletion.state === 'None') return state;
      return byRetention(deletion) ? `${state}, deleted by retention` : `${state}, deleted`;
    }),
    restores: countBy(
      restores,
      ({ state, targetState, options }) => `${options.filter ? 'a part ' : ''}${state}, ${targetState}`,
    ),
    restoreAttempts: countBy(
      restores.flatMap(({ attempts }) => attempts),
      ({ outcome, end }) => (outcome === 'lost' ? `lost, ${end?.kind ?? 'unknown'}` : (end?.kind ?? 'none')),
    ),
    reasons: countBy(
      backups.filter(({ state }) => state === 'Failed'),
      ({ reason }) => reason?.code ?? 'none',
    ),
    windows: countBy(occurrences, ({ state }) => state),
    points: countBy(evidence.logs.sights, ({ clusterId, end }) => `${clusterId} ${end.split(':')[0]}`),
    logs: countBy(
      evidence.logDocuments.flatMap(({ generations }) => generations),
      ({ endedWhy, startTs, min }) => `${endedWhy ?? 'open'}${startTs === min ? '' : ', truncated'}`,
    ),
    runsOfBr: ledger.filter(({ event }) => event === 'start').length,
    violations: check(evidence),
  };
}

interface RunFacts extends Pick<Result, 'minutes' | 'leftOut' | 'settledAfterSeconds'> {
  readonly plan: Plan;
  readonly counts: Partial<Record<FaultKind, number>>;
}

function countBy<T>(list: readonly T[], name: (one: T) => string): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const one of list) counts[name(one)] = (counts[name(one)] ?? 0) + 1;
  return counts;
}
