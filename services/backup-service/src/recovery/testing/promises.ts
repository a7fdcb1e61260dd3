/** The promises of recovery as they are checked in each state of a world. P5 and P6 are ways to keep P1 and P2. */
import { Violation } from '../../testing/exploration.ts';
import { wrongAtRest } from './retention.ts';
import { copyOf, horizonOf, logAt, shown, snapshotOf, type World } from './world.ts';

/** Takes down which points of the horizon are shown. */
export function notePromises(world: World): void {
  const from = horizonOf(world);
  const now = shown(world);
  const within = (points: Iterable<number>) => [...points].filter((point) => point >= from);
  world.promised = [...new Set(within([...world.promised, ...now]))].sort((one, other) => one - other);
  world.excused = within(world.excused).filter((point) => !now.has(point));
}

/** After something was taken that no rule can give back: what is gone is excused. */
export function excuseGone(world: World): void {
  const left = shown(world, { takenBack: true });
  const gone = world.promised.filter((point) => !left.has(point));
  world.excused = [...new Set([...world.excused, ...gone])].sort((one, other) => one - other);
}

/** @throws Violation */
export function checkPromises(world: World): void {
  for (const point of shown(world))
    if (!isTrue(world, point)) throw new Violation('what is shown can be restored (P1)');
  const from = horizonOf(world);
  const left = shown(world, { takenBack: true });
  if (world.promised.some((point) => point >= from && !world.excused.includes(point) && !left.has(point)))
    throw new Violation('a point of the horizon stays (P2)');
  for (const { tso, log } of world.restores) {
    const snapshot = snapshotOf(world, tso);
    if (!snapshot || snapshot.removal === 'claimed')
      throw new Violation('nothing is removed while it is restored (P4)');
    if (log === undefined) continue;
    const read = logAt(world, log);
    if (!read || read.safepoint > tso) throw new Violation('no log is truncated while it is restored (P7)');
  }
  if (world.snapshots.some(({ pinned, removal }) => pinned && removal !== 'none'))
    throw new Violation('what is pinned is never removed (P4)');
  const wrong = wrongAtRest(copyOf(world));
  if (wrong) throw new Violation(wrong);
}

/** Whether a point can be restored by what lies in the storage. */
function isTrue({ logs, snapshots }: World, point: number): boolean {
  return logs.some(
    ({ max, safepoint, files, cuts }) =>
      point <= max &&
      snapshots.some(
        ({ tso, damagedAt }) =>
          damagedAt === null &&
          tso >= safepoint &&
          tso >= files &&
          tso <= point &&
          !cuts.some(([from, to]) => from < point && to > tso),
      ),
  );
}
