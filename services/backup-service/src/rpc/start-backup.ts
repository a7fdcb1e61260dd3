import { createHash, randomBytes } from 'node:crypto';
import { brOptionsViolations } from '@tidemark/br-options/br-options';
import { AppError, invalidArgument } from '@tidemark/errors/app-error';
import { BackupMode, BackupOrigin } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import type {
  StartBackupRequest,
  StartBackupResponse,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup_service';
import { askedAhead } from '@tidemark/service-kit/abort';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { plus } from '@tidemark/task/time';
import { acceptedTrace } from '../accepted-trace.ts';
import type { Backup, Target } from '../backup.ts';
import { fromOriginMessage, toBackupMessage } from '../backup-message.ts';
import { backupPath } from '../backup-path.ts';
import { mergeBrOptions } from '../br-options.ts';
import type { CommandPublisher } from '../command-publisher.ts';
import { decide } from '../decide/decide.ts';
import { start } from '../decide/start.ts';
import { backupAccepted } from '../events.ts';
import type { ClusterDocument, StorageDocument } from '../registry-store.ts';
import { mayUseStorage } from '../storage-access.ts';
import { locationOf } from '../storage-location.ts';
import { validation } from '../validate.ts';
import type { Dependencies } from './context.ts';
import { busy, unknownCluster, unusableStorage } from './refusals.ts';
import { takenElsewhere } from './taken-target.ts';

/** How many seconds further a path may lie when backups of one cluster come faster than one a second. */
const MOST_PATHS = 100;

/** Accepts a backup: the document is written before anybody is notified, and rings at once. */
export function startBackup(dependencies: Dependencies) {
  return async (request: StartBackupRequest, context: CallContext): Promise<StartBackupResponse> => {
    validate(request);
    const id = backupId(request.key, context.caller);
    const hash = requestHash(request);
    const { store, publisher } = dependencies;

    // A repeat is answered whatever became of its cluster.
    const target = askedAhead(findTarget(dependencies, request, context.signal));
    const known = request.key === '' ? undefined : await store.get(id, context.signal);
    if (known) return { backup: toBackupMessage(await repeated(sameRequest(known, hash), publisher)) };
    const found = await target;
    return { backup: toBackupMessage(await accept(dependencies, { request, id, hash, ...found, context })) };
  };
}

function validate({ type, brOptions, rule }: StartBackupRequest): void {
  const check = validation();
  check.require(type === '' || type === 'full', 'backupType', 'must be "full": other types are not supported yet');
  // Those of a rule were saved before: the bounds of a save do not end what ran until today.
  if (brOptions) check.add(brOptionsViolations(brOptions, { isNew: rule === '' }));
  check.finish();
}

/**
 * 22 characters of base64url: of the caller's key, so that a repeat finds the first backup, or random. The cluster is no
 * part of it: the same key with another one is another request, which is refused.
 */
export function backupId(key: string, caller: string): string {
  const hashed = () =>
    createHash('sha256')
      .update(JSON.stringify([caller, key]))
      .digest()
      .subarray(0, 16);
  return (key === '' ? randomBytes(16) : hashed()).toString('base64url');
}

/** What came later counts only where it is set, so that the hashes of earlier requests stay what they are. */
function requestHash({ clusterId, mode, type, origin, brOptions, rule, storageId }: StartBackupRequest): string {
  const options = brOptions && { ...brOptions, extra: Object.entries(brOptions.extra).sort() };
  return createHash('sha256')
    .update(
      JSON.stringify([
        ...[clusterId, mode, type || 'full', origin],
        ...(options ? [options] : []),
        ...(rule === '' ? [] : [{ rule }]),
        ...(storageId === '' ? [] : [{ storageId }]),
      ]),
    )
    .digest('hex');
}

function sameRequest(backup: Backup, hash: string): Backup {
  if (backup.request.hash === hash) return backup;
  throw invalidArgument([
    { field: 'Idempotency-Key', description: 'was used for another request before; use a new key for a new request' },
  ]);
}

/** Whoever wrote it down may have been killed before its first message went out; one too many finds nothing to claim. */
async function repeated(backup: Backup, publisher: CommandPublisher): Promise<Backup> {
  if (backup.state === 'Queued' && backup.task?.rings === 1) await publisher.ring(backup);
  return backup;
}

async function findTarget(
  { registry, finished }: Dependencies,
  { clusterId, storageId: asked }: StartBackupRequest,
  signal: AbortSignal,
) {
  const [cluster, named] = await Promise.all([
    registry.clusters.get(clusterId, signal),
    asked === '' ? undefined : registry.storages.get(asked, signal),
  ]);
  if (!cluster) throw unknownCluster(clusterId);
  const storageId = asked || cluster.storageId;
  const [storage, tidbClusterId] = await Promise.all([
    asked === '' ? registry.storages.get(storageId, signal) : named,
    finished.tidbClusterIdOf(cluster, signal),
  ]);
  if (!storage || !mayUseStorage(storage, cluster)) throw unusableStorage(storageId, clusterId);
  if (storage.gone)
    throw new AppError('storage_unusable', `Storage ${storageId} was declared gone: nothing is backed up to it.`, {
      info: { storageId },
    });
  return { cluster, storage, tidbClusterId };
}

interface Acceptance {
  readonly request: StartBackupRequest;
  readonly id: string;
  readonly hash: string;
  readonly cluster: ClusterDocument;
  readonly storage: StorageDocument;
  readonly tidbClusterId: string | undefined;
  readonly context: CallContext;
}

async function accept(dependencies: Dependencies, acceptance: Acceptance): Promise<Backup> {
  const { store, publisher, occupants, now, limits, deadlineMs } = dependencies;
  const { request, id, hash, cluster, tidbClusterId, context } = acceptance;
  const known = tidbClusterId !== undefined && { tidbClusterId };
  const elsewhere = await occupants.restoreIn({ clusterId: cluster._id, pd: cluster.pd, ...known }, context.signal);
  // The scheduler sees all clusters, and keeps the sentence for those who see this one.
  const isForRecord = request.origin === BackupOrigin.BACKUP_ORIGIN_SCHEDULE;
  if (elsewhere) throw takenElsewhere(cluster._id, elsewhere, isForRecord ? () => false : context.sees);
  for (let pathsTaken = 0; pathsTaken < MOST_PATHS; ) {
    const acceptedAt = now();
    if (request.notAfter && acceptedAt > request.notAfter)
      throw new AppError('start_expired', `It is too late to start this backup of cluster ${cluster._id}.`, {
        info: { clusterId: cluster._id },
      });
    const accepted = newBackup(acceptance, acceptedAt, pathsTaken, deadlineMs);
    // In one write with its first ring, which comes before the message as any other does (D2).
    const { next: backup = accepted } = decide(accepted, { kind: 'ring' }, acceptedAt, limits);
    switch (await store.insert(backup, context.signal)) {
      case 'inserted':
        backupAccepted(backup);
        await publisher.ring(backup);
        return backup;
      case '_id': {
        // Ours, from a try whose answer was lost, or another call's with the same key.
        const known = await store.get(id, context.signal);
        if (known) return repeated(sameRequest(known, hash), publisher);
        break;
      }
      case 'basePath':
        pathsTaken += 1;
        break;
      case 'activeKey': {
        const holder = await store.findActive(cluster._id, context.signal);
        if (holder?.backup?._id === id) return repeated(sameRequest(holder.backup, hash), publisher);
        if (holder) throw busy(cluster._id, holder, isForRecord ? (one) => one === cluster._id : context.sees);
        break;
      }
    }
  }
  throw new AppError('conflict', `Cluster ${cluster._id} has too many backups of this second; try again.`);
}

/** Options that an older version took, and that no `br` may be given. @throws AppError `invalid_argument` */
function refuseStored(clusterId: string, brOptions: Target['brOptions']): void {
  const found = brOptionsViolations(brOptions ?? {}, { isNew: false });
  if (found.length === 0) return;
  const where = `; the cluster ${clusterId} has it from before: save the cluster without it`;
  throw invalidArgument(found.map(({ field, description }) => ({ field, description: description + where })));
}

function newBackup(
  { request, id, hash, cluster, storage, tidbClusterId, context }: Acceptance,
  acceptedAt: Date,
  secondsLater: number,
  deadlineMs: number,
): Backup {
  const location = locationOf(storage);
  if (!location.local && !location.s3 && !location.azure && !location.gcs)
    throw new AppError('storage_unusable', `Storage ${storage._id} does not say where it is.`, {
      info: { storageId: storage._id },
    });
  const { pd, version, pool, tls } = cluster;
  const brOptions = mergeBrOptions(cluster.brOptions, request.brOptions);
  refuseStored(cluster._id, brOptions);
  return start({
    _id: id,
    request: { hash, id: context.requestId, ...(request.key !== '' && { key: request.key }), ...acceptedTrace() },
    createdBy: context.caller,
    clusterId: cluster._id,
    mode: request.mode === BackupMode.BACKUP_MODE_AUTO ? 'auto' : 'manual',
    origin: fromOriginMessage(request.origin) ?? 'request',
    ...(request.rule !== '' && { rule: request.rule }),
    target: {
      ...{ pd, version, pool },
      ...(tidbClusterId !== undefined && { tidbClusterId }),
      ...(tls && { tls }),
      ...(brOptions && { brOptions }),
    },
    storage: { id: storage._id, maxConcurrent: storage.maxConcurrent, ...location },
    path: backupPath(storage.root, cluster._id, plus(acceptedAt, secondsLater * 1000)),
    acceptedAt,
    deadlineMs,
  });
}
