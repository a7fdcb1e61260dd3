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

export interface Dispatcher extends AsyncDisposable {
  /** Rings for a backup now, if its time has come. Never throws: what fails here is found by the next poll. */
  ring(id: string): Promise<void>;
  /** @throws Error while the polls fail */
  check(): void;
}

export interface DispatcherDependencies {
  readonly store: BackupStore;
  readonly publisher: CommandPublisher;
  readonly now: () => Date;
  readonly timing: Pick<Timing, 'pollMs' | 'reaperHealthyMs' | 'callMs'>;
}

const BATCH = 100;

/** Starts dispatching. */
export function startDispatcher({ store, publisher, now, timing }: DispatcherDependencies): Dispatcher {
  const limited = (signal?: AbortSignal) =>
    AbortSignal.any([AbortSignal.timeout(timing.callMs), ...(signal ? [signal] : [])]);

  const mayReap = (loop: Loop): boolean => {
    const since = loop.healthySince();
    return since !== undefined && performance.now() - since >= timing.reaperHealthyMs;
  };

  const attend = async (id: string, signal: AbortSignal): Promise<void> => {
    if (mayReap(loop)) {
      const reaped = await store.apply(id, { kind: 'reap' }, limited(signal));
      if (!reaped) return;
    }
    const rung = await store.apply(id, { kind: 'ring' }, limited(signal));
    if (rung?.decision.ring) await publisher.ring(rung.backup);
  };

  const loop: Loop = startLoop({
    name: 'dispatcher',
    everyMs: timing.pollMs,
    log: dispatcherLog,
    async run(signal) {
      const due = await store.findDue(now(), BATCH, limited(signal));
      for (const id of due) await attend(id, signal);
      return false;
    },
  });

  return {
    async ring(id) {
      try {
        const rung = await store.apply(id, { kind: 'ring' }, limited());
        if (rung?.decision.ring) await publisher.ring(rung.backup);
      } catch (error) {
        dispatcherLog.warn({ error, backupId: id }, 'could not ring at once; the next poll does');
      }
    },
    check() {
      if (loop.healthySince() === undefined) throw new Error('the dispatcher cannot read the database');
    },
    [Symbol.asyncDispose]: () => loop[Symbol.asyncDispose](),
  };
}
