import { judgeManifest, readPublicKey } from '@tidemark/backupmeta/signature';
import { invalidArgument } from '@tidemark/errors/app-error';
import {
  ManifestVerdict,
  type OfferManifestRequest,
  type OfferManifestResponse,
  TaskStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import type { CallContext } from '@tidemark/service-kit/grpc/call-context';
import { isHeldBy } from '@tidemark/task/task';
import type { Backup } from '../backup.ts';
import type { BackupStore } from '../backup-store.ts';
import { REBUILT, rebuild } from '../decide/rebuild.ts';
import { backupRebuilt } from '../events.ts';
import { type Manifest, ManifestError, readManifest } from '../manifest.ts';
import { findReaders, releaseEnded } from '../rebuilt-readers.ts';
import type { StorageCheck } from '../storage-check.ts';
import { requireCheck } from './check-ref.ts';
import type { Dependencies } from './context.ts';

type Verdict = Pick<OfferManifestResponse, 'verdict' | 'message'>;

const known = (message: string): Verdict => ({ verdict: ManifestVerdict.MANIFEST_VERDICT_KNOWN, message });
const missing = (message: string): Verdict => ({ verdict: ManifestVerdict.MANIFEST_VERDICT_MISSING, message });
const rebuilt = (message: string): Verdict => ({ verdict: ManifestVerdict.MANIFEST_VERDICT_REBUILT, message });
const refused = (message: string): Verdict => ({ verdict: ManifestVerdict.MANIFEST_VERDICT_REFUSED, message });

/** Judges a manifest that a rebuild found, and makes the record where it is missing and the rebuild may do so. */
export function offerManifest(dependencies: Dependencies) {
  return async (request: OfferManifestRequest, { signal }: CallContext): Promise<OfferManifestResponse> => {
    const { id, ...held } = requireCheck(request.check);
    const check = await dependencies.checks.get(id, signal);
    if (!check || !isHeldBy(check, held))
      return {
        standing: TaskStanding.TASK_STANDING_LOST,
        verdict: ManifestVerdict.MANIFEST_VERDICT_UNSPECIFIED,
        message: '',
      };
    if (check.kind === 'probe') throw invalidArgument([{ field: 'check', description: 'must be a rebuild' }]);
    return { standing: TaskStanding.TASK_STANDING_HELD, ...(await judge(dependencies, check, request, signal)) };
  };
}

async function judge(
  dependencies: Dependencies,
  check: StorageCheck,
  { path, manifest: bytes }: OfferManifestRequest,
  signal: AbortSignal,
): Promise<Verdict> {
  const { store, registry, now } = dependencies;
  const manifest = read(bytes, path);
  if (typeof manifest === 'string') return refused(manifest);
  if (!path.startsWith(`${check.storage.root}/`))
    return refused(`It lies outside ${check.storage.root}, the root of storage ${check.storageId}.`);
  const there = await store.get(manifest.backupId, signal);
  const isForgotten = there?.deletion.state === 'Forgotten' && there.path === path;
  const obstacle = isForgotten ? undefined : await findObstacle(store, manifest, signal);
  // A rebuild that died after it had made the record left that to the next.
  if (there?.result?.remark === REBUILT && check.kind === 'rebuild') await releaseEnded(there, dependencies, signal);
  if (obstacle) return obstacle;
  const storage = await registry.storages.get(check.storageId, signal);
  const keys = (storage?.manifestKeys ?? []).flatMap((pem) => readPublicKey(pem) ?? []);
  const { finding, signature, keyId } = judgeManifest(bytes, path, keys);
  if (finding)
    return refused(
      `${finding.why}. It is taken while storage ${check.storageId} has the key that signed it among its manifestKeys, or none at all.`,
    );
  if (isForgotten) return remember(store, there, check, now(), signal);
  if (check.kind === 'rebuildDryRun') return missing(`Backup ${manifest.backupId} has no record; it can be rebuilt.`);

  const { root, ...location } = check.storage;
  const readers = await findReaders(manifest.backupId, dependencies, signal);
  const signed = signature === 'good' && { manifestKeyId: keyId };
  const result = { ...manifest.result, ...signed };
  const backup = rebuild({ ...manifest, result }, location, readers, check.requestId, now());
  if ((await store.insert(backup, signal)) !== 'inserted')
    // Made meanwhile by somebody else, or by a try of ours whose answer was lost.
    return (await findObstacle(store, manifest, signal)) ?? refused('Its record could not be made; try again.');
  await releaseEnded(backup, dependencies, signal);
  backupRebuilt(backup, check);
  return rebuilt(`The record of backup ${backup._id} was made.`);
}

/** A forgotten backup is there after all: its own record is better than one made of the manifest. */
async function remember(
  store: BackupStore,
  there: Backup,
  check: StorageCheck,
  now: Date,
  signal: AbortSignal,
): Promise<Verdict> {
  if (there.state !== 'Succeeded' || there.deletion.begun)
    return known(`Backup ${there._id} was forgotten, and not as a whole one; it is not brought back.`);
  if (check.kind === 'rebuildDryRun') return missing(`Backup ${there._id} was forgotten; it can be brought back.`);
  const { root: _, ...storage } = check.storage;
  const applied = await store.apply(there._id, { kind: 'remember', storage: { ...storage, takenAt: now } }, signal);
  if (applied?.decision.answer.kind !== 'ok') return refused('Its record could not be brought back; try again.');
  if (applied.decision.next) backupRebuilt(applied.backup, check);
  return rebuilt(`The record of backup ${there._id} was forgotten, and was brought back.`);
}

/** What stands against making the record: that it is there, or that another has its path. */
async function findObstacle(store: BackupStore, manifest: Manifest, signal: AbortSignal): Promise<Verdict | undefined> {
  const there = await store.get(manifest.backupId, signal);
  if (there) return compare(there, manifest);
  const holder = await store.findByPath(manifest.basePath, signal);
  if (!holder) return undefined;
  if (holder._id === manifest.backupId) return compare(holder, manifest); // made since the look by id
  return refused(`Another backup, ${holder._id}, already has the path ${manifest.basePath}.`);
}

function read(bytes: Uint8Array, path: string): Manifest | string {
  try {
    return readManifest(bytes, path);
  } catch (error) {
    if (error instanceof ManifestError) return error.message;
    throw error;
  }
}

function compare(there: Backup, { backupId, clusterId, path }: Manifest): Verdict {
  const wroteThere = there.path === path || there.attempts.some((attempt) => attempt.path === path);
  if (there.clusterId !== clusterId || !wroteThere)
    return refused(`The record of backup ${backupId} has another path, ${there.path}.`);
  if (there.deletion.state === 'Forgotten')
    return known(`Backup ${backupId} was forgotten on ${there.deleteTime?.toISOString()}; it is not brought back.`);
  if (there.deletion.state === 'Trashed')
    return known(`Backup ${backupId} lies in the bin until ${there.deletion.trashUntil?.toISOString()}.`);
  if (there.deletion.state === 'Deleted')
    return known(`Backup ${backupId} was deleted on ${there.deleteTime?.toISOString()}; it is not brought back.`);
  return known(`Backup ${backupId} has its record (${there.state}).`);
}
