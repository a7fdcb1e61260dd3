/**
 * Inflicts faults and heals them.
 *
 * 1. Every fault heals itself: when `inflict` resolves, it is over. Once `stop` aborts, that is at once. Only a damaged record
 *    stays: it is of nobody, and all others must get on beside it.
 * 2. One fault at a time on one target; a fault whose target is taken is left out. Different targets fail together.
 * 3. A worker and the guard of its `br` are never frozen together: that is the one exception of T13. Only guards that wait
 *    for a `br` are frozen.
 * 4. Whatever ends without having been told to is a crash, and is told. Once this is disposed, all may end.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { HABITS, type HabitName } from '@tidemark/local-stack/object-stores/habits';
import type { StackProcess } from '@tidemark/local-stack/stack-process';
import type { MountLoss } from './evidence.ts';
import { type Fault, type FaultKind, pickOf } from './plan.ts';
import { brsIn, guardsIn } from './processes.ts';
import { WITHOUT_MOUNT, type World } from './world.ts';

export interface Faults extends Disposable {
  /** Those so far. */
  readonly mountLosses: readonly MountLoss[];
  /** Resolves with whether it could be done, once it is healed. */
  inflict(fault: Fault): Promise<boolean>;
  /** Everything runs and is ready. */
  untilHealed(signal: AbortSignal): Promise<void>;
}

export interface FaultsOptions {
  /** Ends every fault early. */
  readonly stop: AbortSignal;
  readonly say: (line: string) => void;
  readonly onCrash: (sentence: string) => void;
  /** Many people come at once; resolves when all were answered. */
  readonly crowd: () => Promise<void>;
  /** Puts a damaged record into the database; answers what it is called, if that could be done. */
  readonly damage: (which: number) => Promise<string | undefined>;
}

/** A process that is not ready by then has other faults to wait for. */
const READY_MS = 15_000;
const MOST_STARTS = 4;
const RESTART_MS = 2_000;
const LONGEST_SHIFT_MS = 5 * 60_000;
const SLOWEST_LINK_MS = 700;
const NORMAL_MEMORY = '0.4';
const HABIT_NAMES = (Object.keys(HABITS) as HabitName[]).filter((name) => name !== 'none');

export function startFaults(world: World, { stop, say, onCrash, crowd, damage }: FaultsOptions): Faults {
  const { stack, broker, database, storage } = world;
  const brs = () => brsIn(world.brMarks);
  const hasBr = (guard: number) => brs().some(({ parent }) => parent === guard);
  const taken = new Set<string>();
  const expected = new Set<string>();
  const mountLosses: MountLoss[] = [];
  // Most of what can go wrong goes wrong with whoever runs br.
  const workers = stack.processes.filter(({ kind }) => kind === 'executor-worker');
  const targets = [...stack.processes, ...workers, ...workers];
  let closing = false;

  const pause = (ms: number) => sleep(ms, undefined, { signal: stop }).catch(() => undefined);

  /** Runs `act` while nobody else has the target. */
  async function on(target: string, fault: Fault, act: () => Promise<unknown>): Promise<boolean> {
    if (taken.has(target)) return false;
    taken.add(target);
    try {
      say(`${fault.kind} on ${target}${fault.lasts > 0 ? ` for ${fault.lasts} ms` : ''}`);
      return (await act()) !== false;
    } finally {
      taken.delete(target);
    }
  }

  function watch(one: StackProcess): void {
    void one.exited().then(async ({ code, signal }) => {
      if (closing || expected.has(one.name)) return;
      onCrash(`${one.name} ended by itself (${signal ?? `exit code ${code}`})`);
      await bringUp(one);
    });
  }

  async function bringUp(one: StackProcess): Promise<void> {
    await one.start(AbortSignal.timeout(READY_MS)).catch(() => {
      if (!one.running) onCrash(`${one.name} ended while it started`);
    });
    expected.delete(one.name);
    watch(one);
  }

  /** As a supervisor does: a server that does not come up is started again, and not for ever. */
  async function bringBack(server: World['database' | 'broker']): Promise<void> {
    for (let starts = 1; ; starts += 1) {
      try {
        return await server.start();
      } catch (error) {
        if (starts === MOST_STARTS) throw error;
        const free = `${Math.round(world.disk.freeBytes() / 2 ** 20)} MiB are free on the disk of the database`;
        say(`${server.choice} did not come up, and is started again (${free}): ${(error as Error).message}`);
        await sleep(RESTART_MS);
      }
    }
  }

  const onProcess = (fault: Fault, act: (one: StackProcess) => Promise<void>) => {
    const one = pickOf(targets, fault.which);
    return one ? on(one.name, fault, () => act(one)) : false;
  };
  const withLink = (fault: Fault, act: (proxy: World['links'][number]['proxy']) => void | Promise<void>) => {
    const link = pickOf(world.links, fault.which);
    if (!link) return false;
    return on(link.name, fault, async () => {
      await act(link.proxy);
      await pause(fault.lasts);
      await link.proxy.resume();
    });
  };
  const onPid = (fault: Fault, pid: number | undefined, act: (pid: number) => Promise<void>) =>
    pid === undefined ? false : on(`process ${pid}`, fault, () => act(pid));
  const onStorage = (fault: Fault, act: () => Promise<unknown>) =>
    storage.breakable ? on('the storage', fault, act) : false;

  const frozen = (fault: Fault) =>
    onProcess(fault, async (one) => {
      one.kill('SIGSTOP');
      await pause(fault.lasts);
      one.kill('SIGCONT');
    });

  const ways: Record<FaultKind, (fault: Fault) => Promise<boolean> | boolean> = {
    kill: (fault) =>
      onProcess(fault, async (one) => {
        expected.add(one.name);
        one.kill('SIGKILL');
        await one.exited();
        await pause(fault.lasts);
        await bringUp(one);
      }),
    'freeze-short': frozen,
    'freeze-long': frozen,
    restart: (fault) =>
      onProcess(fault, async (one) => {
        expected.add(one.name);
        await one.stop();
        await pause(fault.lasts);
        await bringUp(one);
      }),
    clock: (fault) =>
      onProcess(fault, async (one) => {
        world.shiftClock(one, Math.round((2 * fault.amount - 1) * LONGEST_SHIFT_MS));
        await pause(fault.lasts);
        world.shiftClock(one, 0);
      }),
    'br-kill': (fault) => onPid(fault, pickOf(brs(), fault.which)?.pid, async (pid) => signalTo(pid, 'SIGKILL')),
    'br-freeze': (fault) =>
      onPid(fault, pickOf(brs(), fault.which)?.pid, async (pid) => {
        signalTo(pid, 'SIGSTOP');
        await pause(fault.lasts);
        signalTo(pid, 'SIGCONT');
      }),
    'guard-kill': (fault) =>
      onPid(fault, pickOf(guardsIn(world.disk.folder), fault.which)?.pid, async (pid) => signalTo(pid, 'SIGKILL')),
    'guard-freeze': (fault) => {
      const waiting = guardsIn(world.disk.folder).filter(({ pid }) => !hasBr(pid));
      return onPid(fault, pickOf(waiting, fault.which)?.pid, async (pid) => {
        signalTo(pid, 'SIGSTOP');
        if (!hasBr(pid)) await pause(fault.lasts);
        signalTo(pid, 'SIGCONT');
      });
    },
    'broker-stop': (fault) =>
      on('the broker', fault, async () => {
        await broker.stop();
        await pause(fault.lasts);
        await bringBack(broker);
      }),
    'broker-kill': (fault) =>
      on('the broker', fault, async () => {
        await broker.kill();
        await pause(fault.lasts);
        await bringBack(broker);
      }),
    'broker-wipe': (fault) => on('the broker', fault, () => broker.wipe()),
    'broker-alarm': (fault) =>
      on('the broker', fault, async () => {
        if (!broker.control) return false;
        await broker.control(['set_vm_memory_high_watermark', '0']);
        await pause(fault.lasts);
        await broker.control(['set_vm_memory_high_watermark', NORMAL_MEMORY]);
        return true;
      }),
    'link-cut': (fault) => withLink(fault, (proxy) => proxy.cut()),
    'link-slow': (fault) => withLink(fault, (proxy) => proxy.delay(Math.ceil(fault.amount * SLOWEST_LINK_MS))),
    'link-hole': (fault) => withLink(fault, (proxy) => proxy.freeze()),
    'link-down': (fault) => withLink(fault, (proxy) => proxy.stop()),
    'database-stop': (fault) =>
      on('the database', fault, async () => {
        await database.stop();
        await pause(fault.lasts);
        await bringBack(database);
      }),
    'database-kill': (fault) =>
      on('the database', fault, async () => {
        await database.kill();
        await pause(fault.lasts);
        await bringBack(database);
      }),
    'database-freeze': (fault) =>
      on('the database', fault, async () => {
        const pid = world.serverPid('mongodb');
        if (pid === undefined) return false;
        signalTo(pid, 'SIGSTOP');
        await pause(fault.lasts);
        signalTo(pid, 'SIGCONT');
        return true;
      }),
    'storage-full': (fault) =>
      onStorage(fault, async () => {
        await storage.fill();
        await pause(fault.lasts);
        await storage.empty();
      }),
    'storage-read-only': (fault) =>
      onStorage(fault, async () => {
        if (!(await storage.makeReadOnly())) return false;
        await pause(fault.lasts);
        await storage.makeWritable();
        return true;
      }),
    'storage-frozen': (fault) => onStorage(fault, () => storage.freezeFor(fault.lasts)),
    'mount-lost': (fault) =>
      onStorage(fault, async () => {
        const worker = stack.processes.find(({ name }) => name === WITHOUT_MOUNT);
        if (!worker?.running || !(await storage.unmountFor(worker.pid))) return false;
        const { name, pid } = worker;
        const from = new Date();
        const loss = mountLosses.push({ worker: name, from }) - 1;
        await pause(fault.lasts);
        if (worker.running && worker.pid === pid) await storage.mountFor(pid);
        mountLosses[loss] = { worker: name, from, to: new Date() };
        return true;
      }),
    'disk-full': (fault) =>
      world.disk.breakable
        ? on('the database', fault, async () => {
            await world.disk.fill();
            await pause(fault.lasts);
            await world.disk.empty();
            await mendDatabase();
          })
        : false,
    'store-habit': (fault) =>
      on('the bucket', fault, async () => {
        const habit = pickOf(HABIT_NAMES, fault.which) ?? 'none';
        say(`the bucket ${HABITS[habit].title}`);
        world.objects.takeUp(habit);
        await pause(fault.lasts);
        world.objects.takeUp('none');
      }),
    'record-damaged': async (fault) => {
      // The database may be broken at the moment.
      const name = await damage(fault.which).catch(() => undefined);
      if (name !== undefined) say(`record-damaged: ${name}`);
      return name !== undefined;
    },
    crowd: (fault) => on('the gateways', fault, crowd),
  };

  /** As `npm start` does it: a database that met a full disk is broken for as long as its process lives. */
  async function mendDatabase(): Promise<void> {
    const why = await database.whySick?.(AbortSignal.timeout(READY_MS)).catch(() => undefined);
    if (why === undefined) return;
    say(`the database answers with errors (${why}): starting it again`);
    await database.kill();
    await bringBack(database);
  }

  for (const one of stack.processes) watch(one);
  return {
    mountLosses,
    inflict: async (fault) => ways[fault.kind](fault),
    async untilHealed(signal) {
      for (const one of stack.processes) await one.start(signal);
    },
    [Symbol.dispose]() {
      closing = true;
    },
  };
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // It has ended meanwhile.
  }
}
