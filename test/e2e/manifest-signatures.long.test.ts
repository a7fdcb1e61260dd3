/** Signed manifests from the worker's key to the verdict, through the API and without any server. */
import { spawn } from 'node:child_process';
import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { once } from 'node:events';
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { keyIdOf } from '@tidemark/backupmeta/signature';
import { performTask } from '@tidemark/demo-br/demo-cluster-task';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { type BackupRecord, startTidemark, type Tidemark } from './tidemark.ts';

const CLI = join(import.meta.dirname, '..', '..', 'cli', 'src', 'main.ts');

/** A plan and a restore as REST shows them, as far as this file looks at them. */
interface PlanView {
  readonly planHash: string;
  readonly checks: readonly { readonly name: string; readonly result: string }[];
}
interface RestoreView {
  readonly state: string;
  readonly targetState: string;
  readonly reason?: { readonly code: string; readonly message: string };
}

describe('a signed manifest', () => {
  const folder = mkdtempSync(join(tmpdir(), 'tidemark-signatures-'));
  const [own, other] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ed25519')];
  const pem = (key: KeyObject) =>
    key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();
  const fileOf = (name: string, key: KeyObject) => {
    const file = join(folder, name);
    writeFileSync(file, pem(key), { mode: 0o600 });
    return file;
  };
  let tidemark: Tidemark;
  let publicKey: string;
  beforeAll(async () => {
    const key = fileOf('manifest.key', own.privateKey);
    publicKey = fileOf('manifest.pub', own.publicKey);
    tidemark = await startTidemark({ env: { all: { TIDEMARK_MANIFEST_KEY_FILE: key } } });
    const { data } = await tidemark.patiently<{ storage: { path: string } }>('GET', '/storages/local');
    const settings = {
      type: 'local',
      path: data.storage.path,
      manifestKeys: [pem(other.publicKey), pem(own.publicKey)],
    };
    const put = await tidemark.patiently('PUT', '/storages/local', settings);
    expect(put, put.message).toMatchObject({ status: 200, data: { storage: { manifestKeys: settings.manifestKeys } } });
  }, 120_000);
  afterAll(async () => {
    await tidemark?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  const inStorage = (...names: readonly string[]) => join(tidemark.stack.storage, ...names);
  const good = async (name: string) =>
    tidemark.untilState(await tidemark.start(await tidemark.cluster(name)), 'Succeeded');
  const verified = async ({ id }: BackupRecord) => {
    expect(await tidemark.patiently('POST', `/backups/${id}/verify`, {})).toMatchObject({ status: 200 });
    const isOver = ({ verification }: BackupRecord) =>
      ['Good', 'Damaged', 'Unknown'].includes(verification?.state ?? '');
    return (await tidemark.until(id, isOver)).verification;
  };
  const offline = async ({ filePath }: BackupRecord, ...more: readonly string[]) => {
    const args = ['verify', '--storage', tidemark.stack.storage, '--path', filePath, ...more];
    const { PATH, NODE_COMPILE_CACHE } = process.env;
    const child = spawn(process.execPath, [CLI, ...args], {
      env: { PATH, NODE_COMPILE_CACHE },
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    let text = '';
    child.stdout.on('data', (chunk) => {
      text += chunk;
    });
    const [code] = await once(child, 'close');
    return { code, text };
  };

  it('proves a backup, tells what was tampered with, and asks for itself where it is missing', async () => {
    const [backup, stranger] = [await good('signed'), await good('stranger')];
    const keyId = keyIdOf(own.publicKey);
    expect(await verified(backup)).toMatchObject({
      state: 'Good',
      signature: { state: 'good', keyId },
      verdict: expect.stringContaining('the one that was signed'),
    });
    expect(await offline(backup, '--public-key', publicKey)).toMatchObject({
      code: 0,
      text: expect.stringContaining(`signed with the key ${keyId}`),
    });
    expect((await offline(backup, '--public-key', fileOf('other.pub', other.publicKey))).code).toBe(2);

    const manifest = inStorage(backup.filePath, 'tidemark.json');
    const written = readFileSync(manifest, 'utf8');
    writeFileSync(manifest, JSON.stringify({ ...JSON.parse(written), signature: undefined }));
    expect(await verified(backup)).toMatchObject({
      state: 'Unknown',
      problems: [{ kind: 'unsigned' }],
      damaged: false,
    });

    // All of another backup, its own signature among it.
    cpSync(inStorage(stranger.filePath), inStorage(backup.filePath), { recursive: true });
    expect(await verified(backup)).toMatchObject({ state: 'Damaged', signature: { state: 'wrong' }, damaged: true });

    // All of it but what was signed.
    writeFileSync(manifest, written);
    expect(await verified(backup)).toMatchObject({
      state: 'Damaged',
      signature: { state: 'good' },
      problems: [{ kind: 'tampered', name: 'backupmeta' }],
    });
    const report = await offline(backup, '--public-key', publicKey, '--level', 'meta', '--json');
    expect(report.code).toBe(1);
    expect(JSON.parse(report.text)).toMatchObject({
      verdict: 'damaged',
      signature: 'good',
      problems: [{ kind: 'tampered' }],
    });
  });

  it('keeps a backup from being restored that is not the one that was made, until a person passes that over', async () => {
    const [backup, stranger] = [await good('restored'), await good('foreign')];
    const target = await tidemark.cluster('target', { pd: ['10.9.0.1:2379'] });
    await performTask(tidemark.demoCluster('10.9.0.1:2379'), { verb: 'empty' }, AbortSignal.timeout(60_000));
    const restored = async (acknowledge: readonly string[] = []) => {
      const wish = { backupId: backup.id, targetClusterId: target };
      const planned = await tidemark.patiently<{ plan: PlanView }>('POST', '/restores/plan', wish);
      const { planHash, checks } = planned.data.plan;
      const started = await tidemark.patiently<{ restoreId: string }>('POST', '/restores', {
        ...wish,
        ...{ planHash, confirm: target, acknowledge },
      });
      const sound = checks.find(({ name }) => name === 'sourceSound')?.result;
      if (started.status !== 200) return { sound, refused: started.message };
      const ended = await vi.waitFor(
        async () => {
          const answer = await tidemark.patiently<{ restore: RestoreView }>(
            'GET',
            `/restores/${started.data.restoreId}`,
          );
          const { restore } = answer.data;
          if (!['Succeeded', 'Failed', 'Canceled'].includes(restore.state)) throw new Error('the restore goes on');
          return restore;
        },
        { timeout: 40_000, interval: 100 },
      );
      return { sound, ...ended };
    };

    // All of another backup, which bears no signature: the restore is the first to look.
    const kept = join(folder, 'kept');
    cpSync(inStorage(backup.filePath), kept, { recursive: true });
    rmSync(inStorage(backup.filePath), { recursive: true });
    cpSync(inStorage(stranger.filePath), inStorage(backup.filePath), { recursive: true });
    rmSync(inStorage(backup.filePath, 'tidemark.json'));
    expect(await restored()).toMatchObject({
      sound: 'warn',
      state: 'Failed',
      targetState: 'Untouched',
      reason: { code: 'SOURCE_NOT_SIGNED' },
    });
    const blocked = { sound: 'blocked', refused: expect.stringContaining('was signed, and is not now') };
    await vi.waitFor(async () => expect(await restored()).toMatchObject(blocked), { timeout: 10_000 });
    expect(await verified(backup)).toMatchObject({ state: 'Unknown', damaged: false });
    expect(await restored()).toMatchObject(blocked);

    // Its own manifest, and the files of another one.
    cpSync(join(kept, 'tidemark.json'), inStorage(backup.filePath, 'tidemark.json'));
    expect(await restored(['sourceSound'])).toMatchObject({
      state: 'Failed',
      targetState: 'Untouched',
      reason: { code: 'SOURCE_IS_ANOTHER' },
    });
    rmSync(inStorage(backup.filePath), { recursive: true });
    cpSync(kept, inStorage(backup.filePath), { recursive: true });
    expect(await verified(backup)).toMatchObject({ state: 'Good' });

    const manifest = inStorage(backup.filePath, 'tidemark.json');
    writeFileSync(manifest, JSON.stringify({ ...JSON.parse(readFileSync(manifest, 'utf8')), mode: 'auto' }));
    expect(await restored()).toMatchObject({
      state: 'Failed',
      targetState: 'Untouched',
      reason: { code: 'SOURCE_TAMPERED' },
    });
    await tidemark.until(backup.id, ({ verification }) => verification?.damaged === true);
    expect(await restored(['sourceSound'])).toMatchObject({
      sound: 'blocked',
      state: 'Succeeded',
      targetState: 'Restored',
    });
  }, 180_000);
});
