/**
 * What people ask for while things break, over the real API.
 *
 * 1. A start that was not answered is repeated with the same key, through either gateway; now and then so is one that was.
 * 2. A rule is deleted once its window is accounted for, not before, and its name taken again: a cluster may have only so
 *    many, windows are to come until the end of a run, however long that is, and retention counts by name.
 * 3. Rules are saved one after the other, and a name is not taken again once a save or deletion of it failed: that may yet
 *    be done, and would take the window from whoever has the name by then.
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { createClient } from './client.ts';
import { LOG_TARGET, LOGGED, type LogWorkload, OF_OTHERS, startLogWorkload } from './log-workload.ts';
import { type Action, type ActionKind, type LogActionKind, pickOf, type RestoreActionKind } from './plan.ts';
import type { Request } from './request.ts';
import { type RestoreWorkload, SOURCES, startRestoreWorkload, TARGETS } from './restore-workload.ts';
import type { World } from './world.ts';

export interface Workload {
  /** Does it, repeats and all; never rejects. */
  act(action: Action): Promise<void>;
  /** Starts a backup of each of many clusters at once; who is turned away comes back as told, a few times. */
  crowd(): Promise<void>;
  readonly requests: readonly Request[];
  readonly restores: RestoreWorkload;
  readonly logs: LogWorkload;
}

const EVERY_DAY = 'Monday,Tuesday,Wednesday,Thursday,Friday,Saturday,Sunday';
const TRIES = 4;
const WINDOW_MINUTES = 3;
/** How many of the newest backups a request may be about. */
const NEWEST = 40;

const COMMON = { regions: 4, bytesPerFile: 2_048, flushSeconds: 0, lockTtlSeconds: 1, progressIntervalSeconds: 0.1 };

/** Clusters by what their `br` is like. */
const CLUSTERS: Readonly<Record<string, object>> = {
  quick: { seconds: 0.2 },
  plain: { seconds: 4 },
  long: { seconds: 14 },
  failing: { seconds: 1, outcome: { kind: 'fail', at: 0.5 } },
  crashing: { seconds: 1, outcome: { kind: 'crash', at: 0.6 } },
  deaf: { seconds: 4, outcome: 'ignore-term' },
  forking: { seconds: 2, outcome: { kind: 'fork', childSeconds: 60 } },
  endless: { seconds: 20 },
  nightly: { seconds: 1 },
  weekly: { seconds: 12 },
};
/** Their backups go into the bucket. */
const IN_BUCKET = ['odd', 'queer', 'strange'];
const IN_CROWD = Array.from({ length: 40 }, (_, one) => `crowd-${one}`);
const CROWD_TRIES = 5;
const SCHEDULED = ['nightly', 'weekly'];
/** The others keep everything. */
const KEEP_LAST: Readonly<Record<string, number>> = { nightly: 2 };
const DAY_MS = 86_400_000;
/** Their `br` runs without a checkpoint, and so without a lock: nothing but Tidemark keeps two of them apart. */
const UNLOCKED = ['plain', 'crashing', 'endless', 'weekly'];

/** Registers the clusters; nothing is broken yet. */
export async function startWorkload(world: World, recordFile: string, stop: AbortSignal): Promise<Workload> {
  const { stack, storage, ledgerFile } = world;
  const known: { readonly id: string; readonly clusterId: string }[] = [];
  const gateways = stack.processes.filter(({ kind }) => kind === 'gateway').map(({ address }) => address);
  const client = createClient(gateways, stack.token, recordFile);
  const { call, ask, requests } = client;
  /** Names of rules that are not taken any more, each behind its cluster's. */
  const spoiled = new Set<string>();
  let lastRule: Promise<unknown> = Promise.resolve();
  let keys = 0;

  function remember(id: string | undefined, clusterId: string): void {
    if (id !== undefined && !known.some((one) => one.id === id)) known.push({ id, clusterId });
  }

  async function start({ which, again }: Action): Promise<void> {
    const clusterId = pickOf([...Object.keys(CLUSTERS), ...IN_BUCKET], which) ?? '';
    keys += 1;
    const key = `chaos-${keys}`;
    const once = (gateway: number) =>
      ask(
        { kind: 'start', clusterId, key },
        () => call(gateway, 'POST', '/backups', { clusterId }, { 'idempotency-key': key }),
        ({ backupId }: { backupId: string }) => ({ backupId }),
      );
    for (let tries = 1; tries <= TRIES; tries += 1) {
      const answer = await once((again * 7 + tries / 2) % 1);
      remember(answer?.backupId, clusterId);
      if (answer && answer.status < 500) break;
      await sleep(300, undefined, { signal: stop }).catch(() => undefined);
    }
    if (again < 0.25) await once(again * 4);
  }

  async function comeInCrowd(clusterId: string): Promise<void> {
    keys += 1;
    const key = `chaos-${keys}`;
    for (let tries = 1; tries <= CROWD_TRIES && !stop.aborted; tries += 1) {
      let waitMs = 1_000;
      const answer = await ask(
        { kind: 'start', clusterId, key },
        async () => {
          const answered = await call(Math.random(), 'POST', '/backups', { clusterId }, { 'idempotency-key': key });
          waitMs = answered.retryAfterMs || waitMs;
          return answered;
        },
        ({ backupId }: { backupId: string }) => ({ backupId }),
      );
      remember(answer?.backupId, clusterId);
      if (answer && answer.status < 500 && answer.status !== 429) return;
      await sleep(waitMs, undefined, { signal: stop }).catch(() => undefined);
    }
  }

  /** Deletes the rules whose window is over; answers a name that no rule has then, if that could be known. */
  async function freeRule(clusterId: string, gateway: number): Promise<string | undefined> {
    try {
      const of = `/clusters/${clusterId}`;
      const [saved, came] = [
        await call(gateway, 'GET', `${of}/strategies`),
        await call(gateway, 'GET', `${of}/occurrences?pageSize=100`),
      ];
      if (saved.status !== 200 || came.status !== 200) return undefined;
      const { strategies } = saved.data as { strategies: { rule: string; nextWindow?: { opensAt: string } }[] };
      const { occurrences } = came.data as { occurrences: { rule: string; opensAt: string; state: string }[] };
      const over = new Set(
        occurrences.flatMap(({ rule, opensAt, state }) =>
          state === 'Pending' ? [] : [`${rule} ${Date.parse(opensAt)}`],
        ),
      );
      const left = new Set<string>();
      for (const { rule, nextWindow } of strategies) {
        const next = Date.parse(nextWindow?.opensAt ?? '');
        // It has one a day: where the next is tomorrow's, today's is the one to wait for.
        const awaited = next > Date.now() + DAY_MS / 2 ? next - DAY_MS : next;
        left.add(rule);
        if (!over.has(`${rule} ${awaited}`)) continue;
        spoiled.add(`${clusterId} ${rule}`);
        if ((await call(gateway, 'DELETE', `${of}/strategies/${rule}`)).status !== 200) continue;
        spoiled.delete(`${clusterId} ${rule}`);
        left.delete(rule);
      }
      for (let number = 0; ; number += 1)
        if (!left.has(`r${number}`) && !spoiled.has(`${clusterId} r${number}`)) return `r${number}`;
    } catch {
      return undefined;
    }
  }

  async function saveRule({ which, again }: Action): Promise<void> {
    const clusterId = pickOf(SCHEDULED, which) ?? '';
    const rule = await freeRule(clusterId, again);
    if (rule === undefined) return;
    const keepLast = KEEP_LAST[clusterId];
    const opens = again < 0.5 ? 0 : 1;
    const strategy = {
      backupDate: EVERY_DAY,
      period: `${inMinutes(opens)}-${inMinutes(opens + WINDOW_MINUTES)}`,
      timeZone: 'UTC',
      retention: keepLast === undefined ? null : { keepLast },
    };
    const answer = await ask(
      { kind: 'rule', clusterId, rule, ...(keepLast !== undefined && { keepLast }) },
      () => call(again, 'PUT', `/clusters/${clusterId}/strategies/${rule}`, { strategy }),
      ({ strategy: { nextWindow } }: { strategy: { nextWindow?: { opensAt: string; closesAt: string } } }) => ({
        ...(nextWindow && { opensAt: nextWindow.opensAt, closesAt: nextWindow.closesAt }),
      }),
    );
    if (answer?.status !== 200) spoiled.add(`${clusterId} ${rule}`);
  }

  /** One of the newest backups. */
  const chosen = (which: number) => pickOf(known.slice(-NEWEST), which);

  const acts: Record<Exclude<ActionKind, RestoreActionKind | LogActionKind>, (action: Action) => Promise<unknown>> = {
    start,
    async cancel({ which, again }) {
      // Only what was just started is likely to run still.
      const backup = pickOf(known.slice(-6), which);
      if (!backup) return;
      const { id: backupId, clusterId } = backup;
      await ask({ kind: 'cancel', clusterId, backupId }, () =>
        call(again, 'POST', '/backups/cancel', { clusterId, backupId }),
      );
    },
    async delete({ which, again }) {
      const backup = chosen(which);
      if (!backup) return;
      const { id: backupId, clusterId } = backup;
      await ask({ kind: 'delete', clusterId, backupId }, () => call(again, 'DELETE', `/backups/${backupId}`));
    },
    async pin({ which, again }) {
      const backup = chosen(which);
      if (!backup) return;
      const { id: backupId, clusterId } = backup;
      await ask({ kind: 'pin', clusterId, backupId }, () => call(again, 'PUT', `/backups/${backupId}/pin`));
    },
    async unpin({ which, again }) {
      const backup = chosen(which);
      if (!backup) return;
      const { id: backupId, clusterId } = backup;
      await ask({ kind: 'unpin', clusterId, backupId }, () => call(again, 'DELETE', `/backups/${backupId}/pin`));
    },
    async rule(action) {
      lastRule = lastRule.then(() => saveRule(action));
      await lastRule;
    },
    async read({ which, again }) {
      const clusterId = pickOf(SCHEDULED, which) ?? '';
      const path = `/backups?clusterId=${clusterId}&pageSize=5`;
      const found = await client.look<{ backupRecords: { id: string }[] }>(again, 'GET', path);
      for (const { id } of found?.backupRecords ?? []) remember(id, clusterId);
    },
  };

  async function register(path: string, body: object): Promise<void> {
    const answer = await call(0, 'PUT', path, body);
    if (answer.status !== 200) throw new Error(`${path} could not be registered: ${answer.message}`);
  }

  await register('/storages/odd', world.objects.registration);
  const crowded = Object.fromEntries(IN_CROWD.map((clusterId) => [clusterId, CLUSTERS.quick ?? {}]));
  const targets = Object.fromEntries(TARGETS.map((clusterId) => [clusterId, CLUSTERS.nightly ?? {}]));
  const ofLogs = { ...LOGGED, [OF_OTHERS]: CLUSTERS.quick ?? {}, [LOG_TARGET]: CLUSTERS.quick ?? {} };
  const scripts = { ...CLUSTERS, ...crowded, ...SOURCES, ...targets, ...ofLogs };
  for (const [clusterId, script] of Object.entries(scripts)) {
    const folder = join(storage.folder, 'nfs', 'em', 'backup', clusterId);
    mkdirSync(folder, { recursive: true });
    writeFileSync(join(folder, 'demo-br.json'), JSON.stringify({ ...COMMON, ledger: ledgerFile, ...script }));
  }
  const pds = new Map([...Object.keys(scripts), ...IN_BUCKET].map((id, number) => [id, `127.0.0.1:${2_000 + number}`]));
  for (const [clusterId, pd] of pds)
    await register(`/clusters/${clusterId}`, {
      pd: [pd],
      version: '8.5.0',
      storageId: IN_BUCKET.includes(clusterId) ? 'odd' : 'local',
      ...(clusterId === LOG_TARGET && { purpose: 'scratch' }),
      ...(UNLOCKED.includes(clusterId) && { brOptions: { extra: { 'use-checkpoint': 'false' } } }),
    });
  const restores = await startRestoreWorkload(world, client, { pdOf: (id) => pds.get(id) ?? '', size: COMMON, stop });
  const logs = await startLogWorkload(world, client, { pdOf: (id) => pds.get(id) ?? '', size: COMMON });
  return {
    requests,
    restores,
    logs,
    async crowd() {
      await Promise.all(IN_CROWD.map(comeInCrowd));
    },
    act: async (action) => {
      if (!stop.aborted) await { ...acts, ...restores.acts, ...logs.acts }[action.kind](action);
    },
  };
}

/** `H:MM` in UTC, so many minutes from now. */
function inMinutes(minutes: number): string {
  const time = new Date(Date.now() + minutes * 60_000);
  return `${time.getUTCHours()}:${String(time.getUTCMinutes()).padStart(2, '0')}`;
}
