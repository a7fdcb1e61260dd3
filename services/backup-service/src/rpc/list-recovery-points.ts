import { DEFAULT_PAGE_SIZE, MAX_SNAPSHOTS_OF_LOGS } from '@tidemark/limits/limits';
import { askedPage } from '@tidemark/mongo/page-request';
import { VerificationLevel } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type ListRecoveryPointsRequest,
  type ListRecoveryPointsResponse,
  type RecoveryHole,
  RecoveryPoint,
  type RecoveryRange,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { fitting } from '@tidemark/service-kit/grpc/fitting';
import { readable } from '@tidemark/service-kit/quarantine';
import { plus } from '@tidemark/task/time';
import { type Backup, isDamaged } from '../backup.ts';
import type { BackupFilter } from '../backup-filter.ts';
import type { GoodSnapshot } from '../finished-backups.ts';
import { instantOf } from '../log/log-backup.ts';
import { type Hole, type RecoveryRange as Range, recoverable } from '../recovery/recoverable.ts';
import { readRecoveryState } from '../recovery/recovery-state.ts';
import { worstRpoMs } from '../recovery/worst-rpo.ts';
import { estimateSeconds } from '../restore/estimate.ts';
import { snapshotTime, tsoAt } from '../snapshot-time.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';

/** The time of which the worst moment is told; the newest backup before that may be as old again. */
const RPO_MS = 30 * 86_400_000;

/**
 * The moments to which a cluster can be brought back. One that cannot be read is left out; a page may hold fewer than were asked
 * for, and still more may follow.
 */
export function listRecoveryPoints({ store, finished, logs, quarantines, now }: Dependencies) {
  /** What log backups add. */
  const fromLogs = async (clusterId: string, signal: AbortSignal) => {
    const log = await logs.get(clusterId, signal);
    const state = log ? await readRecoveryState(log, finished, signal) : { snapshots: [], generations: [] };
    return recoverable(state, tsoAt(now()));
  };
  /** Undefined where there are too many backups to tell. */
  const snapshotsOf = async (clusterId: string, signal: AbortSignal) => {
    const found = await finished.snapshotsSince(clusterId, plus(now(), -2 * RPO_MS), MAX_SNAPSHOTS_OF_LOGS, signal);
    return found.length < MAX_SNAPSHOTS_OF_LOGS ? found : undefined;
  };
  return async (
    { clusterId, pageSize, pageToken }: ListRecoveryPointsRequest,
    { signal, timeLeftMs }: CallContext,
  ): Promise<ListRecoveryPointsResponse> => {
    const wish = { page: 1, pageSize: pageSize || DEFAULT_PAGE_SIZE, pageToken, withoutTotal: true };
    const scope = { list: 'p1', filters: [clusterId] };
    const asked = askedPage(wish, { scope, exactTotal: 0, timeLeftMs: timeLeftMs() });
    const check = validation();
    check.id('clusterId', clusterId);
    check.add(asked.violations);
    check.finish();

    const filter: BackupFilter = { clusterIds: [clusterId], states: ['Succeeded'], includeDeleted: false };
    const [page, [newestGood], verified, { ranges, holes, newest: newestTs }, snapshots] = await Promise.all([
      store.list(filter, asked.wish, signal),
      finished.newestGood([clusterId], signal),
      finished.newestVerified(clusterId, signal),
      fromLogs(clusterId, signal),
      snapshotsOf(clusterId, signal),
    ]);
    const get = (id: string | undefined) => (id === undefined ? undefined : store.get(id, signal));
    const [newest, newestVerified] = await Promise.all([get(newestGood?._id), get(verified?._id)]);

    const read = (backups: readonly Backup[]) => readable(quarantines.listedBackups, backups, toPoint, RecoveryPoint);
    const shown = read(page.rows).filter(({ record }) => record.deletion.state === 'None' && !isDamaged(record));
    const points = fitting(
      shown.map(({ message }) => message),
      RecoveryPoint,
    );
    const last = points.length < shown.length ? shown[points.length - 1]?.record : undefined;
    const { followingPageToken } = asked.answer(
      page,
      last && { at: last.startTime, id: last._id, number: page.rows.indexOf(last) + 1 },
    );
    const [newestPoint, verifiedPoint] = [newest, newestVerified].map(
      (backup) => read(backup ? [backup] : [])[0]?.message,
    );
    const newestTime = later(newestPoint?.time, newestTs === undefined ? undefined : instantOf(String(newestTs)));
    return {
      points,
      nextPageToken: followingPageToken,
      newest: newestPoint,
      newestVerified: verifiedPoint,
      rpoSeconds: newestTime ? Math.max(0, (now().getTime() - newestTime.getTime()) / 1000) : 0,
      worstRpoSeconds: snapshots && worstRpoSeconds(ranges, snapshots, now()),
      ranges: ranges.toReversed().map(toRangeMessage),
      holes: holes.toReversed().map(toHoleMessage),
      newestTime,
      estimatedSeconds: newestPoint ? estimateSeconds(Number(newestPoint.sizeBytes)) : 0,
    };
  };
}

function worstRpoSeconds(ranges: readonly Range[], snapshots: readonly GoodSnapshot[], now: Date): number | undefined {
  const covered = ranges.map(({ from, to }) => ({ from: +instantOf(String(from)), to: +instantOf(String(to)) }));
  const moments = snapshots.map((one) => +snapshotTime(one)).map((at) => ({ from: at, to: at }));
  const ms = worstRpoMs([...covered, ...moments], +plus(now, -RPO_MS), +now);
  return ms === undefined ? undefined : ms / 1_000;
}

function later(one: Date | undefined, other: Date | undefined): Date | undefined {
  return one && other ? (one > other ? one : other) : (one ?? other);
}

const betweenInstants = ({ from, to }: { readonly from: bigint; readonly to: bigint }) => ({
  fromTime: instantOf(String(from)),
  toTime: instantOf(String(to)),
});

function toRangeMessage(range: Range): RecoveryRange {
  const { from, to, generation, baseId } = range;
  return { ...betweenInstants(range), fromTs: from, toTs: to, generation, baseBackupId: baseId };
}

function toHoleMessage(hole: Hole): RecoveryHole {
  return { ...betweenInstants(hole), why: hole.why };
}

function toPoint({ _id, result, storage, startTime, deletion, verification }: Backup): RecoveryPoint {
  if (!deletion) throw new Error('the record does not say whether it is deleted');
  const verdict = verification?.counts?.state === 'Good' ? verification.counts : undefined;
  const levels = {
    meta: VerificationLevel.VERIFICATION_LEVEL_META,
    bytes: VerificationLevel.VERIFICATION_LEVEL_BYTES,
  };
  return RecoveryPoint.create({
    backupId: _id,
    tso: BigInt(result?.tso ?? 0),
    time: snapshotTime({ result, startTime }),
    sizeBytes: BigInt(result?.sizeBytes ?? 0),
    storageId: storage.id,
    clusterVersion: result?.clusterVersion ?? '',
    ...(verdict && { verifiedAt: verdict.at, level: levels[verdict.level] }),
  });
}
