/**
 * Finds tasks whose time has come and rings for them; takes back those whose worker is dead (T2).
 *
 * D1. Every copy does this; the document's revision decides who of them did it.
 * D2. The next ring is written down before the message goes out, so that a crash between the two only delays.
 * D3. A free place at a storage is offered to those whose turn it is at once; one that nobody offered rings by itself.
 * D4. A copy reaps only when its own polls have succeeded for a while: one that was cut off itself must not conclude
 *     that a worker is.
 * D5. What has lain in the bin long enough is let go by any copy; that its files are to be removed is written down before it rings.
 * D6. A task that cannot be worked on is set aside, and stops no other.
 */
import { MAX_RETRIED_TASKS } from '@tidemark/limits/limits';
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import type { Quarantine } from '@tidemark/service-kit/quarantine';
import type { Timing } from '@tidemark/service-kit/timing';
import { type Backup, isActive } from './backup.ts';
import type { Applied, BackupStore } from './backup-store.ts';
import type { CommandPublisher } from './command-publisher.ts';
import { truncatingIn } from './log/decide/truncation.ts';
import type { LogStore } from './log/log-store.ts';
import type { TruncationStore } from './log/truncation-store.ts';
import { dispatcherLog } from './logger.ts';
import type { Occupants } from './occupants.ts';
import type { Quarantines } from './quarantines.ts';
import { attendRestore } from './restore/restore-steps.ts';
import type { RestoreStore } from './restore/restore-store.ts';
import type { Slots } from './slots.ts';
import type { StorageCheckStore } from './storage-check-store.ts';
import { attendVerification } from './verification-steps.ts';
import type { VerificationStore } from './verification-store.ts';

export interface Dispatcher extends AsyncDisposable {
  /** Rings for a backup now, if its time has come. Never throws: what fails here is found by the next poll. */
  ring(id: string): Promise<void>;
  /** Rings for those whose turn came through a change, if it freed a place. Never throws either. */
  ringNext(applied: Applied | undefined): Promise<void>;
  /**
   * Lets tasks of a storage that failed or were given back be tried now instead of at the end of their pause: how it is
   * registered was changed. Never throws; of very many the others keep their pauses.
   */
  retryIn(storageId: string): Promise<void>;
  /** The same for a restore; takes and gives back the hold on its source, where that is due. */
  ringRestore(id: string): Promise<void>;
  /** The same for a check of a storage. */
  ringCheck(id: string): Promise<void>;
  /** The same for a look at the log backup of a cluster. */
  ringLog(clusterId: string): Promise<void>;
  /** The same for what is to be taken out of the logs of a cluster. */
  ringTruncation(clusterId: string): Promise<void>;
  /** Does what is due about the verification of a backup now. Never throws either. */
  attendVerification(backupId: string): Promise<void>;
  /** @throws Error while the polls fail */
  check(): void;
}

export interface DispatcherDependencies {
  readonly store: Pick<BackupStore, 'findDue' | 'findExpired' | 'findSetBack' | 'apply'>;
  readonly restores: Pick<RestoreStore, 'findDue' | 'findUnclean' | 'apply'>;
  readonly slots: Pick<Slots, 'nextInLine'>;
  readonly occupants: Pick<Occupants, 'anyIn'>;
  readonly checks: Pick<StorageCheckStore, 'findDue' | 'apply'>;
  readonly verifications: Pick<VerificationStore, 'findDue' | 'apply'>;
  readonly logs: Pick<LogStore, 'findDue' | 'apply' | 'applyFirst'>;
  readonly truncations: Pick<TruncationStore, 'findDue' | 'apply'>;
  /** The pool of a registered cluster. */
  readonly poolOf: (clusterId: string, signal: AbortSignal) => Promise<string | undefined>;
  readonly publisher: CommandPublisher;
  readonly quarantines: Pick<
    Quarantines,
    'backupTasks' | 'trashedBackups' | 'checkTasks' | 'restoreTasks' | 'verifications' | 'logTasks' | 'truncations'
  >;
  readonly now: () => Date;
  readonly timing: Pick<Timing, 'pollMs' | 'reaperHealthyMs' | 'callMs'>;
}

/** Documents with tasks: how they are found, and what is done about one. */
interface Doorbell {
  readonly what: string;
  readonly quarantine: Quarantine;
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Takes the task from a dead worker, where there is one. */
  reap(id: string, signal: AbortSignal): Promise<void>;
  /** Writes the next ring down and publishes, if the time has come. */
  ring(id: string, signal: AbortSignal): Promise<void>;
}

interface BackupDoorbell extends Doorbell {
  /** Offers the place that a change freed at its storage. */
  ringNext(applied: Applied | undefined, signal: AbortSignal): Promise<void>;
}

const BATCH = 100;
const RETRIED_ABREAST = 20;
/** A person waits for it. */
const RETRY_WITHIN_MS = 2_000;

/** Whether others may come next at the storage: a slot is free again, or nobody waits for one here any more. */
function freesPlace(before: Backup, after: Backup): boolean {
  if (after.storage.maxConcurrent === 0) return false;
  const ran = before.state === 'Running' || before.state === 'Canceling';
  const runs = after.state === 'Running' || after.state === 'Canceling';
  return (ran && !runs) || (before.state === 'Queued' && !isActive(after));
}

function backupDoorbell({ store, publisher, slots, quarantines, now }: DispatcherDependencies): BackupDoorbell {
  async function ring(id: string, signal: AbortSignal): Promise<void> {
    const rung = await store.apply(id, { kind: 'ring' }, signal);
    if (rung?.decision.ring) await publisher.ring(rung.backup);
  }

  async function ringNext(applied: Applied | undefined, signal: AbortSignal): Promise<void> {
    if (!applied || !freesPlace(applied.before, applied.backup)) return;
    for (const id of await slots.nextInLine(applied.backup.storage, now(), signal)) {
      const offer = async () => {
        await store.apply(id, { kind: 'nudge' }, signal);
        await ring(id, signal);
      };
      await quarantines.backupTasks.attempt(id, offer, signal);
    }
  }

  return {
    what: 'backup',
    quarantine: quarantines.backupTasks,
    findDue: (now, limit, signal) => store.findDue(now, limit, signal),
    async reap(id, signal) {
      await ringNext(await store.apply(id, { kind: 'reap' }, signal), signal);
    },
    ring,
    ringNext,
  };
}

/** Backups whose time in the bin is over: what rings afterwards is their removal. */
function binDoorbell({ store, quarantines }: DispatcherDependencies, { ring }: Doorbell): Doorbell {
  return {
    what: 'bin',
    quarantine: quarantines.trashedBackups,
    findDue: (now, limit, signal) => store.findExpired(now, limit, signal),
    async reap() {},
    async ring(id, signal) {
      const expired = await store.apply(id, { kind: 'expire' }, signal);
      if (expired?.decision.ring) await ring(id, signal);
    },
  };
}

function checkDoorbell({ checks, publisher, quarantines }: DispatcherDependencies): Doorbell {
  return {
    what: 'check',
    quarantine: quarantines.checkTasks,
    findDue: (now, limit, signal) => checks.findDue(now, limit, signal),
    async reap(id, signal) {
      await checks.apply(id, { kind: 'reap' }, signal);
    },
    async ring(id, signal) {
      const rung = await checks.apply(id, { kind: 'ring' }, signal);
      if (rung?.decision.ring) await publisher.ringCheck(rung.check);
    },
  };
}

function restoreDoorbell(dependencies: DispatcherDependencies): Doorbell {
  const { restores, quarantines } = dependencies;
  return {
    what: 'restore',
    quarantine: quarantines.restoreTasks,
    findDue: (now, limit, signal) => restores.findDue(now, limit, signal),
    async reap(id, signal) {
      await restores.apply(id, { kind: 'reap' }, signal);
    },
    ring: (id, signal) => attendRestore(id, dependencies, signal),
  };
}

function verificationDoorbell(dependencies: DispatcherDependencies): Doorbell {
  const { verifications, quarantines } = dependencies;
  return {
    what: 'verification',
    quarantine: quarantines.verifications,
    findDue: (now, limit, signal) => verifications.findDue(now, limit, signal),
    async reap(id, signal) {
      await verifications.apply(id, { kind: 'reap' }, signal);
    },
    ring: (id, signal) => attendVerification(id, dependencies, signal),
  };
}

function logDoorbell({ logs, poolOf, publisher, quarantines }: DispatcherDependencies): Doorbell {
  return {
    what: 'log backup',
    quarantine: quarantines.logTasks,
    findDue: (now, limit, signal) => logs.findDue(now, limit, signal),
    async reap(id, signal) {
      await logs.apply(id, { kind: 'reap' }, signal);
    },
    async ring(id, signal) {
      const rung = await logs.apply(id, { kind: 'ring' }, signal);
      const pool = rung?.decision.ring && (await poolOf(id, signal));
      if (rung && pool) await publisher.ringLog(rung.log, pool);
    },
  };
}

function truncationDoorbell({ truncations, poolOf, publisher, quarantines }: DispatcherDependencies): Doorbell {
  return {
    what: 'truncation of a log',
    quarantine: quarantines.truncations,
    findDue: (now, limit, signal) => truncations.findDue(now, limit, signal),
    async reap(id, signal) {
      await truncations.apply(id, { kind: 'reap' }, signal);
    },
    async ring(id, signal) {
      const rung = await truncations.apply(id, { kind: 'ring' }, signal);
      const { ring = [] } = rung?.decision ?? {};
      if (!rung || ring.length === 0) return;
      const registered = await poolOf(id, signal);
      for (const { n, pool } of truncatingIn(rung.log)) {
        const asked = registered ?? pool;
        if (ring.includes(n) && asked !== undefined) await publisher.ringTruncation(rung.log, asked);
      }
    },
  };
}

/** Starts dispatching. */
export function startDispatcher(dependencies: DispatcherDependencies): Dispatcher {
  const { now, timing } = dependencies;
  const backups = backupDoorbell(dependencies);
  const bin = binDoorbell(dependencies, backups);
  const checks = checkDoorbell(dependencies);
  const restores = restoreDoorbell(dependencies);
  const verifications = verificationDoorbell(dependencies);
  const logs = logDoorbell(dependencies);
  const truncations = truncationDoorbell(dependencies);
  const limited = (signal?: AbortSignal) =>
    AbortSignal.any([AbortSignal.timeout(timing.callMs), ...(signal ? [signal] : [])]);

  const mayReap = (loop: Loop): boolean => {
    const since = loop.healthySince();
    return since !== undefined && performance.now() - since >= timing.reaperHealthyMs;
  };

  const loop: Loop = startLoop({
    name: 'dispatcher',
    everyMs: timing.pollMs,
    log: dispatcherLog,
    async run(signal) {
      for (const doorbell of [bin, backups, restores, checks, verifications, logs, truncations]) {
        const { quarantine } = doorbell;
        for (const id of await doorbell.findDue(now(), BATCH + quarantine.size, limited(signal))) {
          const attend = async () => {
            if (mayReap(loop)) await doorbell.reap(id, limited(signal));
            await doorbell.ring(id, limited(signal));
          };
          await quarantine.attempt(id, attend, signal);
        }
      }
      return false;
    },
  });

  const ringNow = async ({ what, ring }: Doorbell, id: string): Promise<void> => {
    try {
      await ring(id, limited());
    } catch (error) {
      dispatcherLog.warn({ error, what, id }, 'could not ring at once; the next poll does');
    }
  };

  const ringNextNow = async (applied: Applied | undefined): Promise<void> => {
    try {
      await backups.ringNext(applied, limited());
    } catch (error) {
      const backupId = applied?.backup._id;
      dispatcherLog.warn({ error, backupId }, 'could not offer a free place at once; those who wait ring again');
    }
  };

  const retryIn = async (storageId: string): Promise<void> => {
    const { store, quarantines } = dependencies;
    try {
      const signal = AbortSignal.timeout(RETRY_WITHIN_MS);
      const ids = await store.findSetBack(storageId, now(), MAX_RETRIED_TASKS, signal);
      for (let start = 0; start < ids.length; start += RETRIED_ABREAST) {
        const some = ids.slice(start, start + RETRIED_ABREAST);
        const retry = (id: string) =>
          quarantines.backupTasks.attempt(id, () => store.apply(id, { kind: 'retry' }, signal), signal);
        await Promise.all(some.map(retry));
      }
      loop.wake();
    } catch (error) {
      dispatcherLog.warn(
        { error, storageId },
        'could not have tasks tried at once; they are at the end of their pause',
      );
    }
  };

  return {
    ring: (id) => ringNow(backups, id),
    ringNext: ringNextNow,
    retryIn,
    ringRestore: (id) => ringNow(restores, id),
    ringCheck: (id) => ringNow(checks, id),
    ringLog: (id) => ringNow(logs, id),
    ringTruncation: (id) => ringNow(truncations, id),
    attendVerification: (id) => ringNow(verifications, id),
    check() {
      if (loop.healthySince() === undefined) throw new Error('the dispatcher cannot read the database');
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}
