/** What may happen next in a world. */
import { Violation, type WorldStep } from '../../testing/exploration.ts';
import { acknowledgementOf } from '../would-lose.ts';
import { checkPromises, excuseGone, notePromises } from './promises.ts';
import { claimRemoval, doStep, goOnTruncating } from './retention.ts';
import {
  type Counted,
  copyOf,
  idOf,
  isGood,
  isThere,
  logAt,
  planned,
  snapshotOf,
  stateOf,
  type World,
  type WorldLog,
  type WorldSnapshot,
} from './world.ts';

export type Step = WorldStep<World> & { readonly costs?: Counted };

/** The world after a step. @throws Violation */
export function take(world: World, step: Step): World {
  const next = copyOf(world);
  if (step.costs) next.left[step.costs] -= 1;
  step.act(next);
  notePromises(next);
  checkPromises(next);
  return next;
}

export function stepsFrom(world: World): Step[] {
  const steps = [
    ...ofTime(world),
    ...world.logs.flatMap((log) => ofLog(log)),
    ...world.snapshots.flatMap((snapshot) => ofSnapshot(world, snapshot)),
    ...ofPeople(world),
    ...world.runners.flatMap((todo, index) => ofRunner(world, todo, index)),
  ];
  return steps.filter(({ costs }) => costs === undefined || world.left[costs] > 0);
}

function ofTime(world: World): Step[] {
  const { now, setting, snapshots, logs } = world;
  const open = logs.find((log) => log.open);
  const steps: Step[] = [];
  if (now < setting.ticks) {
    const goOn = (next: World) => {
      next.now += 1;
      for (const log of next.logs) if (log.open) log.max = next.now;
    };
    steps.push({ name: 'time passes, the log goes on', kind: 'free', act: goOn });
    const standStill = (next: World) => {
      next.now += 1;
    };
    if (open) steps.push({ name: 'time passes, the log stands still', kind: 'fault', costs: 'stops', act: standStill });
  }
  for (const origin of setting.manual ? (['rule', 'person'] as const) : (['rule'] as const)) {
    if (snapshots.some(({ tso }) => tso === now)) break;
    const fresh = { tso: now, damagedAt: null, removal: 'none', by: null, pinned: false, holds: 0, origin } as const;
    const act = (next: World) => {
      next.snapshots.push({ ...fresh });
    };
    steps.push({ name: `a snapshot of a ${origin} at ${now}`, kind: 'free', costs: 'snapshots', act });
  }
  if (open) {
    const close = (next: World) => {
      for (const log of next.logs) log.open = false;
    };
    return [...steps, { name: `log ${open.n} ends`, kind: 'wish', act: close }];
  }
  const begin = (next: World) => {
    const n = (next.logs.at(-1)?.n ?? 0) + 1;
    const at = { min: now, max: now, safepoint: now, files: now };
    next.logs.push({ n, ...at, open: true, cuts: [], holds: 0, until: null });
  };
  return [...steps, { name: `a log begins at ${now}`, kind: 'wish', costs: 'logs', act: begin }];
}

function ofLog({ n, min, max, holds, until }: WorldLog): Step[] {
  const on = (act: (log: WorldLog, next: World) => void) => (next: World) => {
    const log = logAt(next, n);
    if (log) act(log, next);
  };
  const steps: Step[] = [];
  if (max > min) {
    const damage = on((log, next) => {
      log.cuts.push([log.max - 1, log.max]);
      excuseGone(next);
    });
    steps.push({ name: `the end of log ${n} is found damaged`, kind: 'fault', costs: 'damages', act: damage });
    const truncate = on((log, next) => {
      log.safepoint = log.files = Math.max(log.safepoint, log.max);
      log.min = Math.max(log.min, log.safepoint);
      excuseGone(next);
    });
    if (holds === 0)
      steps.push({ name: `somebody truncates log ${n} by hand`, kind: 'fault', costs: 'byHand', act: truncate });
  }
  if (until !== null) steps.push({ name: `the truncation of log ${n} goes on`, kind: 'free', act: on(goOnTruncating) });
  return steps;
}

function ofSnapshot(world: World, { tso, ...snapshot }: WorldSnapshot): Step[] {
  const on = (act: (one: WorldSnapshot, next: World) => void) => (next: World) => {
    const one = snapshotOf(next, tso);
    if (one) act(one, next);
  };
  const pin = (pinned: boolean) =>
    on((one) => {
      one.pinned = pinned;
    });
  const id = idOf(tso);
  const steps: Step[] = [];
  if (snapshot.removal === 'asked') {
    const claim = on((one, next) => {
      if (claimRemoval(next, one)) throw new Violation('retention never removes the last good snapshot (P4)');
    });
    steps.push({ name: `a worker claims the removal of ${id}`, kind: 'free', act: claim });
  }
  if (snapshot.removal === 'claimed') {
    const remove = (next: World) => {
      next.snapshots = next.snapshots.filter((one) => one.tso !== tso);
    };
    steps.push({ name: `the files of ${id} are gone`, kind: 'free', act: remove });
  }
  if (isThere({ tso, ...snapshot }) && snapshot.pinned)
    steps.push({ name: `${id} is unpinned`, kind: 'wish', act: pin(false) });
  if (!isGood({ tso, ...snapshot })) return steps;
  const damage = on((one, next) => {
    one.damagedAt = next.now;
    excuseGone(next);
  });
  steps.push({ name: `${id} is found damaged`, kind: 'fault', costs: 'damages', act: damage });
  if (!snapshot.pinned) steps.push({ name: `${id} is pinned`, kind: 'wish', costs: 'pins', act: pin(true) });
  const { generations } = stateOf(world);
  const readable = world.logs.filter(
    ({ min, max }, index) => tso >= min && tso < max && generations[index] && world.rules.mayHold(generations[index]),
  );
  for (const log of [undefined, ...readable]) {
    const restore = on((one, next) => {
      one.holds += 1;
      const read = log && logAt(next, log.n);
      if (read) read.holds += 1;
      next.restores.push({ tso, ...(log && { log: log.n }) });
    });
    const name = `a restore of ${id}${log ? ` and log ${log.n}` : ''} begins`;
    steps.push({ name, kind: 'wish', costs: 'restores', act: restore });
  }
  return steps;
}

function ofPeople({ asked, snapshots, restores, horizon, setting }: World): Step[] {
  const steps: Step[] = [];
  if (restores.length > 0) {
    const end = (next: World) => {
      const ended = next.restores.pop();
      const read = ended && snapshotOf(next, ended.tso);
      if (read) read.holds -= 1;
      const log = ended?.log === undefined ? undefined : logAt(next, ended.log);
      if (log) log.holds -= 1;
    };
    steps.push({ name: 'the restore ends', kind: 'free', act: end });
  }
  for (const other of [setting.horizon - 1, setting.horizon])
    if (other !== horizon) {
      const change = (next: World) => {
        if (other > next.horizon) next.promised = [];
        next.horizon = other;
      };
      steps.push({ name: `the horizon becomes ${other}`, kind: 'wish', costs: 'horizonChanges', act: change });
    }
  if (asked) return [...steps, ...ofAnswer(asked.tso)];
  for (const snapshot of snapshots.filter((one) => isThere(one) && !one.pinned && one.holds === 0)) {
    const ask = (next: World) => {
      const loss = next.rules.wouldLose(stateOf(next), idOf(snapshot.tso), BigInt(next.now));
      const lost = loss.spans.flatMap(({ from, to, growing }) => pointsOf(from, growing ? next.setting.ticks : to));
      next.asked = { tso: snapshot.tso, lost, acknowledgement: acknowledgementOf(loss) };
    };
    const name = `a person is told what the removal of ${idOf(snapshot.tso)} loses`;
    steps.push({ name, kind: 'wish', costs: 'removals', act: ask });
  }
  return steps;
}

function ofAnswer(tso: number): Step[] {
  const desist = (next: World) => {
    next.asked = null;
  };
  const confirm = (next: World) => {
    const [snapshot, told] = [snapshotOf(next, tso), next.asked];
    next.asked = null;
    if (!told || !snapshot || !isThere(snapshot) || snapshot.pinned || snapshot.holds > 0) return;
    if (!next.rules.mayRemove(stateOf(next), idOf(tso), told.acknowledgement, BigInt(next.now))) return;
    Object.assign(snapshot, { removal: 'asked', by: 'person' });
    next.excused = [...new Set([...next.excused, ...told.lost])].sort((one, other) => one - other);
  };
  return [
    { name: 'the person thinks better of it', kind: 'wish', act: desist },
    { name: `the person confirms the removal of ${idOf(tso)}`, kind: 'wish', act: confirm },
  ];
}

function ofRunner(world: World, todo: World['runners'][number], index: number): Step[] {
  const [first, ...rest] = todo;
  if (!first) {
    const todos = planned(world);
    const act = (next: World) => {
      next.runners[index] = todos;
    };
    return todos.length > 0 ? [{ name: `runner ${index + 1} plans`, kind: 'free', act }] : [];
  }
  const write = (next: World) => {
    next.runners[index] = rest;
    doStep(next, first);
  };
  const die = (next: World) => {
    next.runners[index] = [];
  };
  const words = Object.values(first).join(' ');
  return [
    { name: `runner ${index + 1}: ${words}`, kind: 'free', act: write },
    { name: `runner ${index + 1} dies`, kind: 'fault', act: die },
  ];
}

function pointsOf(from: bigint, to: bigint | number): number[] {
  const first = Number(from);
  return Array.from({ length: Number(to) - first + 1 }, (_, index) => first + index);
}
