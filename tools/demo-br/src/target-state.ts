import { randomUUID } from 'node:crypto';
import type { DemoCluster } from './demo-cluster.ts';

// How long what a restore does to its target outlives it.

/** A restore's key in PD's etcd. */
const REGISTRATION_MS = 180_000;
/** PD's schedulers. */
const PAUSE_MS = 300_000;
/** TiKV's import mode. */
const IMPORT_MODE_MS = 600_000;
/** A living restore renews all of them so often. */
const RENEW_MS = 60_000;

/** How long a run waits for others before it leaves what it held to its end. */
const CLEAN_UP_MS = 30_000;

/** What a restore keeps up in its target while it lives. */
export interface TargetHold {
  /** Pauses schedulers and switches TiKV to import mode; that of a log pauses schedulers alone. */
  pause(part?: 'all' | 'schedulers'): Promise<void>;
  /** Puts both back. */
  resume(): Promise<void>;
  /** Ends the registration. */
  release(): Promise<void>;
  /** Renews nothing any more; what is not put back ends by itself. */
  [Symbol.dispose](): void;
}

/** Registers a restore in its target, which gets its folder then. */
export async function holdTarget(target: DemoCluster, signal: AbortSignal): Promise<TargetHold> {
  const id = `restore-${randomUUID()}`;
  let paused: 'nothing' | 'all' | 'schedulers' = 'nothing';
  const renew = () =>
    target.alone(signal, () =>
      target.changeState(({ restoresUntil }) => {
        const now = Date.now();
        const living = Object.entries(restoresUntil).filter(([other, until]) => other !== id && until > now);
        return {
          restoresUntil: { ...Object.fromEntries(living), [id]: now + REGISTRATION_MS },
          ...(paused !== 'nothing' && { schedulersPausedUntil: now + PAUSE_MS }),
          ...(paused === 'all' && { importModeUntil: now + IMPORT_MODE_MS }),
        };
      }),
    );
  await target.touch();
  await renew();
  const timer = setInterval(() => {
    // What cannot be renewed now ends by itself, or is renewed next time.
    renew().catch(() => undefined);
  }, RENEW_MS);
  return {
    async pause(part = 'all') {
      paused = part;
      await renew();
    },
    async resume() {
      paused = 'nothing';
      await target.alone(AbortSignal.timeout(CLEAN_UP_MS), () =>
        target.changeState(() => ({ schedulersPausedUntil: 0, importModeUntil: 0 })),
      );
    },
    async release() {
      clearInterval(timer);
      await target.alone(AbortSignal.timeout(CLEAN_UP_MS), () =>
        target.changeState(({ restoresUntil }) => {
          const { [id]: _, ...others } = restoresUntil;
          return { restoresUntil: others };
        }),
      );
    },
    [Symbol.dispose]: () => clearInterval(timer),
  };
}
