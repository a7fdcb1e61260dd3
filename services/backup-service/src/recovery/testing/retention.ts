/** What retention and its workers do in a world. */
import { Violation } from '../../testing/exploration.ts';
import {
  DAMAGED_STAYS,
  horizonOf,
  idOf,
  isGood,
  logAt,
  planned,
  shown,
  snapshotOf,
  stateOf,
  type Todo,
  viewOf,
  type World,
  type WorldLog,
  type WorldSnapshot,
} from './world.ts';

/** Writes a step of a plan, where it is still right. */
export function doStep(world: World, todo: Todo): void {
  const { rules } = world;
  const [state, view] = [stateOf(world), viewOf(world)];
  if (todo.kind === 'delete') {
    const snapshot = snapshotOf(world, todo.tso);
    if (snapshot?.removal !== 'none') return;
    if (!rules.mayAskRemoval(state, idOf(todo.tso), view)) return;
    if (snapshot.damagedAt !== null && world.now - snapshot.damagedAt < DAMAGED_STAYS)
      throw new Violation('a damaged snapshot stays for some days (K2)');
    Object.assign(snapshot, { removal: 'asked', by: 'retention' });
    return;
  }
  const log = logAt(world, todo.log);
  if (!log) return;
  if (todo.kind === 'removeLog') {
    if (rules.mayRemoveGeneration(state, log.n, view)) world.logs = world.logs.filter((one) => one !== log);
    return;
  }
  if (log.until !== null) return;
  const until = BigInt(todo.until);
  if (!rules.mayTruncate(state, { generation: log.n, until }, view)) return;
  const generation = state.generations.find(({ n }) => n === log.n);
  if (!generation) return;
  const before = shown(world);
  log.min = Number(rules.beginTruncation(generation, until).min);
  log.until = todo.until;
  const after = shown(world);
  if ([...before].some((point) => point >= horizonOf(world) && !after.has(point)))
    throw new Violation('a truncation takes no point of the horizon (P8)');
}

/** A worker wants to begin with a removal. Returns whether it takes the last good snapshot for retention. */
export function claimRemoval(world: World, snapshot: WorldSnapshot): boolean {
  const isRetention = snapshot.by === 'retention';
  if (isRetention && world.rules.whyTakeBack(stateOf(world), idOf(snapshot.tso), viewOf(world)).length > 0) {
    Object.assign(snapshot, { removal: 'none', by: null });
    return false;
  }
  snapshot.removal = 'claimed';
  return isRetention && snapshot.damagedAt === null && !world.snapshots.some(isGood);
}

/** The next step of a truncation that is under way. */
export function goOnTruncating(log: WorldLog): void {
  const { until } = log;
  if (until === null) return;
  if (log.safepoint < until) log.safepoint = until;
  else if (log.files < until) log.files = until;
  else {
    log.min = Math.max(log.min, until);
    log.until = null;
  }
}

/** Nothing new happens any more, and much time passes. What is there then: what is wrong with it, or undefined. */
export function wrongAtRest(world: World): string | undefined {
  world.asked = null;
  world.restores = [];
  for (const snapshot of world.snapshots) snapshot.holds = 0;
  for (const log of world.logs) log.holds = 0;
  world.now += world.horizon + 3;
  for (const log of world.logs) if (log.open) log.max = world.now;
  let isStill = false;
  for (let round = 0; round < 12 && !isStill; round += 1) {
    const todo = planned(world);
    const asked = world.snapshots.filter(({ removal }) => removal === 'asked');
    isStill = todo.length === 0 && asked.length === 0 && world.logs.every(({ until }) => until === null);
    for (const step of todo) doStep(world, step);
    for (const snapshot of world.snapshots) if (snapshot.removal === 'asked') claimRemoval(world, snapshot);
    world.snapshots = world.snapshots.filter(({ removal }) => removal !== 'claimed');
    for (const log of world.logs) while (log.until !== null) goOnTruncating(log);
  }
  if (!isStill) return 'retention comes to rest';
  const { keepReasons, logReasons } = world.rules.plan(stateOf(world), viewOf(world));
  if (world.snapshots.some(({ tso }) => !keepReasons.get(idOf(tso))?.length)) return 'what is kept has a reason (P9)';
  if (world.logs.some(({ n }) => !logReasons.get(n)?.length)) return 'what is kept has a reason (P9)';
  if (world.snapshots.some((one) => one.damagedAt !== null && !one.pinned && one.origin === 'rule' && hasNewer(one)))
    return 'a damaged snapshot goes once it is replaced (P9)';
  return world.logs.some((log) => isKeptTooLong(world, log))
    ? 'no more of a log is kept than is needed (P8)'
    : undefined;

  function hasNewer({ tso }: WorldSnapshot) {
    return world.snapshots.some((one) => isGood(one) && one.tso > tso);
  }
}

function isKeptTooLong({ snapshots, now, horizon }: World, { open, min, max, cuts, files }: WorldLog): boolean {
  const from = now - horizon;
  if (!open && max < from) return true;
  if (cuts.length > 0) return false;
  const bases = snapshots
    .filter((one) => isGood(one) && one.tso >= min && one.tso <= max)
    .sort((a, b) => a.tso - b.tso);
  const base = bases.findLast(({ tso }) => tso <= from) ?? bases[0];
  return base !== undefined && files < base.tso;
}
