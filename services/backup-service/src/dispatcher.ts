/**
 * Finds tasks whose time has come and rings for them; takes back those whose worker is dead (T2).
 *
 * D1. Every copy does this; the document's revision decides who of them did it.
 * D2. The next ring is written down before the message goes out, so that a crash between the two only delays.
 * D3. A copy reaps only when its own polls have succeeded for a while: one that was cut off itself must not conclude
 *     that a worker is.
 */
import { type Loop, startLoop } from '@tidemark/service-kit/loop';
import type { Timing } from '@tidemark/service-kit/timing';
import type { BackupStore } from './backup-store.ts';
import type { CommandPublisher } from './command-publisher.ts';
import { dispatcherLog } from './logger.ts';
import type { StorageCheckStore } from './storage-check-store.ts';

export interface Dispatcher extends AsyncDisposable {
  /** Rings for a backup now, if its time has come. Never throws: what fails here is found by the next poll. */
  ring(id: string): Promise<void>;
  /** The same for a check of a storage. */
  ringCheck(id: string): Promise<void>;
  /** @throws Error while the polls fail */
  check(): void;
}

export interface DispatcherDependencies {
  readonly store: Pick<BackupStore, 'findDue' | 'apply'>;
  readonly checks: Pick<StorageCheckStore, 'findDue' | 'apply'>;
  readonly publisher: CommandPublisher;
  readonly now: () => Date;
  readonly timing: Pick<Timing, 'pollMs' | 'reaperHealthyMs' | 'callMs'>;
}

/** Documents with tasks: how they are found, and what is done about one. */
interface Doorbell {
  readonly what: string;
  findDue(now: Date, limit: number, signal: AbortSignal): Promise<string[]>;
  /** Takes the task from a dead worker, where there is one. */
  reap(id: string, signal: AbortSignal): Promise<void>;
  /** Writes the next ring down and publishes, if the time has come. */
  ring(id: string, signal: AbortSignal): Promise<void>;
}

const BATCH = 100;

function backupDoorbell({ store, publisher }: DispatcherDependencies): Doorbell {
  return {
    what: 'backup',
    findDue: (now, limit, signal) => store.findDue(now, limit, signal),
    async reap(id, signal) {
      await store.apply(id, { kind: 'reap' }, signal);
    },
    async ring(id, signal) {
      const rung = await store.apply(id, { kind: 'ring' }, signal);
      if (rung?.decision.ring) await publisher.ring(rung.backup);
    },
  };
}

function checkDoorbell({ checks, publisher }: DispatcherDependencies): Doorbell {
  return {
    what: 'check',
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

/** Starts dispatching. */
export function startDispatcher(dependencies: DispatcherDependencies): Dispatcher {
  const { now, timing } = dependencies;
  const backups = backupDoorbell(dependencies);
  const checks = checkDoorbell(dependencies);
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
      for (const doorbell of [backups, checks]) {
        for (const id of await doorbell.findDue(now(), BATCH, limited(signal))) {
          if (mayReap(loop)) await doorbell.reap(id, limited(signal));
          await doorbell.ring(id, limited(signal));
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

  return {
    ring: (id) => ringNow(backups, id),
    ringCheck: (id) => ringNow(checks, id),
    check() {
      if (loop.healthySince() === undefined) throw new Error('the dispatcher cannot read the database');
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}
