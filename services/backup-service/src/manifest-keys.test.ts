/** Public keys of a storage: how they are registered, who gets them, and what a rebuild takes. */
import { generateKeyPairSync, type KeyObject, randomUUID } from 'node:crypto';
import { keyIdOf, signManifest } from '@tidemark/backupmeta/signature';
import { MAX_MANIFEST_KEYS } from '@tidemark/limits/limits';
import { CompleteTaskRequest, ManifestVerdict } from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { afterEach, expect, it } from 'vitest';
import type { Backup } from './backup.ts';
import { backupCalls } from './testing/backup-calls.ts';

const { service, cluster, start } = backupCalls();
const [own, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
const pem = (key: KeyObject) =>
  key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();
const KEYS = [pem(other.publicKey), pem(own.publicKey)];
const who = { worker: 'w1', pool: 'default' };

const put = (manifestKeys: string[]) =>
  service().registry.putStorage({
    storage: Storage.create({
      ...{ id: 'local', location: { $case: 'local', value: { path: '/tmp/storage' } }, manifestKeys },
    }),
  });
afterEach(() => put([]));

it('are public Ed25519 keys, of which a storage has a few, and never a private one, which no answer repeats', async () => {
  expect((await put(KEYS)).storage?.manifestKeys).toEqual(KEYS);
  const { storage } = await service().registry.getStorage({ id: 'local', clusterId: '' });
  expect(storage?.manifestKeys).toEqual(KEYS);
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const [publicKey = ''] = KEYS;
  for (const keys of [
    [pem(own.privateKey)],
    [pem(rsa.publicKey)],
    ['no key'],
    [publicKey.padEnd(1_025)],
    [KEYS.join('')],
    Array(MAX_MANIFEST_KEYS + 1).fill(publicKey),
  ]) {
    const error: unknown = await put(keys).catch((one: unknown) => one);
    expect(error).toMatchObject({ code: 'invalid_argument', details: { fields: [{ field: 'manifestKeys' }] } });
    expect(JSON.stringify(error)).not.toContain('BEGIN');
  }
});

/** A good backup. */
async function good() {
  const { id, path } = await start();
  const claim = randomUUID();
  const { grant } = await service().executor.claimTask({ backupId: id, claim, ...who, instance: '', outOfReach: [] });
  const result = { tso: 5n, sizeBytes: 7n, files: 1n, tidbClusterId: 1n, clusterVersion: '8.5.0', remark: '' };
  await service().executor.completeTask(
    CompleteTaskRequest.create({
      task: { backupId: id, claim, fence: grant?.value.fence ?? 0n },
      outcome: { $case: 'succeeded', value: { result, exitSeen: true } },
    }),
  );
  return { id, path };
}

it('go to the worker that verifies, as they are registered then', async () => {
  const { id } = await good();
  await put(KEYS);
  await service().backups.verifyBackup({ id, level: 0, sample: undefined, rateLimit: 0, byRule: false });
  const { grant } = await service().executor.claimVerification({ backupId: id, claim: randomUUID(), ...who });
  expect(grant?.manifestKeys).toEqual(KEYS);
});

it('decide what a rebuild takes: with any, nothing that none of them signed', async () => {
  const { id, path } = await good();
  await service().db.collection<Backup>('backups').deleteOne({ _id: id });
  const fields = { tso: '5', sizeBytes: 7, files: 1, tidbClusterId: '1', clusterVersion: '8.5.0' };
  const manifest = { schemaVersion: 1, backupId: id, clusterId: cluster(), path, ...fields };
  const offer = async (content: object) => {
    const { check } = await service().registry.rebuildRecords({ storageId: 'local', pool: '', apply: true });
    const checkId = check?.id ?? '';
    const claim = randomUUID();
    const { grant } = await service().executor.claimCheck({ checkId, claim, ...who, instance: '' });
    return service().executor.offerManifest({
      check: { checkId, claim, fence: grant?.fence ?? 0n },
      path,
      manifest: Buffer.from(JSON.stringify(content)),
    });
  };
  await put(KEYS);
  const signed = signManifest(manifest, own.privateKey);
  for (const content of [
    manifest,
    { ...signed, tso: '6' },
    signManifest(manifest, generateKeyPairSync('ed25519').privateKey),
  ])
    expect(await offer(content)).toMatchObject({
      verdict: ManifestVerdict.MANIFEST_VERDICT_REFUSED,
      message: expect.stringContaining('manifestKeys'),
    });
  expect((await offer(signed)).verdict).toBe(ManifestVerdict.MANIFEST_VERDICT_REBUILT);
  const rebuilt = await service().db.collection<Backup>('backups').findOne({ _id: id });
  expect(rebuilt?.result?.manifestKeyId).toBe(keyIdOf(own.publicKey));
  // What has its record is known, whatever it bears.
  expect((await offer(manifest)).verdict).toBe(ManifestVerdict.MANIFEST_VERDICT_KNOWN);
});
