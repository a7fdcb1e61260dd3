/**
 * One copy of the scheduler, with a clock of its own: `attendToWindows` over shared stores and the handlers of
 * strategy-service, without wire. Any call of it may be its last, before or after it took effect, or may fail once.
 */
import { AppError } from '@tidemark/errors/app-error';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import type { CallOptions } from '@tidemark/service-kit/grpc/client';
import type { Backends } from '../../services/scheduler-service/src/backends.ts';
import { attendToWindows, type DueLoopDependencies } from '../../services/scheduler-service/src/due-loop.ts';
import type { OccurrenceStore } from '../../services/scheduler-service/src/occurrence-store.ts';
import { createQuarantines } from '../../services/scheduler-service/src/quarantines.ts';
import { advanceStrategy } from '../../services/strategy-service/src/rpc/advance-strategy.ts';
import type { Dependencies } from '../../services/strategy-service/src/rpc/context.ts';
import { getStrategy } from '../../services/strategy-service/src/rpc/get-strategy.ts';
import { listDueStrategies } from '../../services/strategy-service/src/rpc/list-due-strategies.ts';
import type { BackupPeer } from './backup-peer.ts';
import type { Occurrences } from './memory-stores.ts';

export interface CopySettings {
  /** How far its clock is ahead, in milliseconds. */
  readonly clockMs: number;
  readonly pollMs: number;
  readonly retryMs: number;
  readonly skewMs: number;
}

export interface CopyWorld {
  /** True time, in milliseconds. */
  readonly time: () => number;
  /** Lets time pass and others go first. */
  readonly turn: () => Promise<void>;
  readonly occurrences: Occurrences;
  /** What the copy of strategy-service that it calls works with. */
  readonly strategies: () => Dependencies;
  readonly peer: BackupPeer;
}

export interface Fault {
  /** Calls that go well before. */
  readonly calls: number;
  readonly kind: 'killed' | 'failed';
  readonly takesEffect: boolean;
  /** Told when it happens. */
  readonly happened: () => void;
}

class Killed extends Error {}

export class SchedulerCopy {
  readonly #world: CopyWorld;
  readonly #dependencies: DueLoopDependencies;
  readonly #life = new AbortController();
  #fault: Fault | undefined;

  constructor(world: CopyWorld, { clockMs, ...settings }: CopySettings) {
    this.#world = world;
    const store = this.#guarded(world.occurrences) as OccurrenceStore;
    const now = () => new Date(world.time() + clockMs);
    this.#dependencies = { ...settings, store, now, backends: this.#backends(), quarantines: createQuarantines() };
  }

  get isDead(): boolean {
    return this.#life.signal.aborted;
  }

  /** Makes one of the next calls go wrong, unless one is to go wrong already. */
  doom(fault: Fault): void {
    this.#fault ??= fault;
  }

  /** Does what is to be done now, as the loop does; answers whether it went well. */
  async attend(): Promise<boolean> {
    try {
      while (await attendToWindows(this.#dependencies, this.#life.signal));
      return true;
    } catch (error) {
      if (error instanceof Killed || (error instanceof AppError && error.code === 'unavailable')) return false;
      throw error;
    }
  }

  #backends(): Backends {
    const { strategies, peer } = this.#world;
    const plans = this.#guarded({
      listDueStrategies: served(() => listDueStrategies(strategies())),
      advanceStrategy: served(() => advanceStrategy(strategies())),
    });
    const rules = this.#guarded({ getStrategy: served(() => getStrategy(strategies())) });
    const backups = this.#guarded({
      startBackup: peer.startBackup.bind(peer),
      findBackupByKey: peer.findBackupByKey.bind(peer),
      listNewestGood: peer.listNewestGood.bind(peer),
    });
    // No other method of these is called while windows are attended to.
    return { plans, strategies: rules, backups } as unknown as Backends;
  }

  /** The same methods, each call of which may go wrong. */
  #guarded<Service extends object>(service: Service): Service {
    const copy = this;
    return new Proxy(service, {
      get(target, name) {
        const method = Reflect.get(target, name);
        if (typeof method !== 'function') return method;
        return (...parameters: unknown[]) => copy.#call(() => Reflect.apply(method, target, parameters));
      },
    });
  }

  async #call(act: () => unknown): Promise<unknown> {
    await this.#world.turn();
    this.#life.signal.throwIfAborted();
    const fault = this.#takeFault();
    if (fault && !fault.takesEffect) this.#fail(fault);
    const answer = await act();
    if (fault) this.#fail(fault);
    this.#life.signal.throwIfAborted();
    return answer;
  }

  #takeFault(): Fault | undefined {
    const fault = this.#fault;
    if (!fault) return undefined;
    this.#fault = fault.calls > 0 ? { ...fault, calls: fault.calls - 1 } : undefined;
    return fault.calls > 0 ? undefined : fault;
  }

  #fail({ kind, happened }: Fault): never {
    happened();
    if (kind === 'failed') throw new AppError('unavailable', 'the connection was lost');
    this.#life.abort(new Killed());
    throw this.#life.signal.reason;
  }
}

/** A handler as its client calls it. */
function served<Request, Response>(handler: () => (request: Request, context: CallContext) => Promise<Response>) {
  return (request: Request, options: CallOptions) => handler()(request, options as CallContext);
}
