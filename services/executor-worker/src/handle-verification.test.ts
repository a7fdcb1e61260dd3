/** G1 to G3 of `handle-verification.ts`, and what a worker says of a backup; backup-service is answered for by the test. */
import { generateKeyPairSync } from 'node:crypto';
import {
  mkdirSync,
  mkdtempSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  unlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { sealOf } from '@tidemark/backupmeta/seal';
import { keyIdOf, signManifest } from '@tidemark/backupmeta/signature';
import { DATA, sealedBackup } from '@tidemark/backupmeta/testing/sealed-backup';
import { AppError } from '@tidemark/errors/app-error';
import { DEFAULT_METADATA_BYTES } from '@tidemark/limits/limits';
import {
  SignatureState,
  VerificationLevel,
  VerificationState,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import {
  type CompleteVerificationRequest,
  type ExecutorServiceServer,
  type ReleaseVerificationRequest,
  type RenewVerificationRequest,
  TaskStanding,
  VerificationGrant,
  VerificationStanding,
} from '@tidemark/protocol/grpc/tidemark/backup/v1/executor_service';
import { BrOptions, Storage } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { configReader } from '@tidemark/service-kit/env';
import type { ServiceClient } from '@tidemark/service-kit/grpc/client';
import { readTiming } from '@tidemark/service-kit/timing';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createCompletion } from './completion.ts';
import { createVerifier } from './handle-verification.ts';
import { createWorks } from './works.ts';

const timing = readTiming(
  configReader({ TIDEMARK_RENEW_SECONDS: '0.02', TIDEMARK_CALL_SECONDS: '1', TIDEMARK_CLAIM_SECONDS: '0.5' }),
);
const HELD = TaskStanding.TASK_STANDING_HELD;
const NUMBER = 'f'.repeat(32);
const PATH = 'nfs/c1/p';
const KEY = Buffer.from('sixteen bytes ok');
const SIGNER = generateKeyPairSync('ed25519');
const STRANGER = generateKeyPairSync('ed25519');
const pemOf = ({ publicKey }: typeof SIGNER) => publicKey.export({ type: 'spki', format: 'pem' }).toString();
/** More data files than are read at once, which take some seconds at one MiB a second. */
const LARGE = Object.fromEntries(
  Array.from({ length: 24 }, (_, index) => [`1/${index}.sst`, `${index % 10}`.repeat(2 ** 18)]),
);

let mounts: string;
let mount: string;
beforeEach(() => {
  mounts = mkdtempSync(join(tmpdir(), 'tidemark-verify-'));
  mount = join(mounts, 'share');
});
afterEach(() => rmSync(mounts, { recursive: true, force: true }));

const inBackup = (name: string) => join(mount, PATH, name);

function put(backup: ReadonlyMap<string, Buffer>): void {
  const all = new Map<string, string | Buffer>(backup);
  const manifest = { path: PATH, backupmeta: sealOf(backup.get('backupmeta') ?? Buffer.alloc(0)) };
  all.set('tidemark.json', JSON.stringify(signManifest(manifest, SIGNER.privateKey)));
  for (const [name, content] of all) {
    mkdirSync(dirname(inBackup(name)), { recursive: true });
    writeFileSync(inBackup(name), content);
  }
  mkdirSync(join(mount, 'nfs', '.tidemark'), { recursive: true });
  writeFileSync(join(mount, 'nfs', '.tidemark', 's1.json'), JSON.stringify({ number: NUMBER }));
}

const putKey = (key: Buffer): BrOptions => {
  const crypterKeyFile = join(mounts, 'key');
  writeFileSync(crypterKeyFile, key.toString('hex'), { mode: 0o600 });
  return BrOptions.create({ crypterMethod: 'aes128-ctr', crypterKeyFile });
};

/** A worker whose calls the test answers; what it does not replace goes well. */
function worker(granted: Partial<VerificationGrant> = {}, answers: Partial<ServiceClient<ExecutorServiceServer>> = {}) {
  const completed: CompleteVerificationRequest[] = [];
  const renewed: RenewVerificationRequest[] = [];
  const released: ReleaseVerificationRequest[] = [];
  const leaving = new AbortController();
  const storage = Storage.create({ id: 's1', root: 'nfs', location: { $case: 'local', value: { path: mount } } });
  const grant = VerificationGrant.create({
    fence: 3n,
    clusterId: 'c1',
    path: PATH,
    storage,
    storageDigest: 'd1',
    marker: { number: NUMBER, adopt: false },
    requestId: 'r1',
    level: VerificationLevel.VERIFICATION_LEVEL_BYTES,
    sample: 1,
    ...granted,
  });
  const claimVerification = vi.fn(async () => ({ grant }));
  const client = {
    claimVerification,
    async renewVerification(request: RenewVerificationRequest) {
      renewed.push(request);
      return { standing: HELD, state: VerificationState.VERIFICATION_STATE_RUNNING };
    },
    async completeVerification(request: CompleteVerificationRequest) {
      completed.push(request);
      return { standing: HELD };
    },
    async releaseVerification(request: ReleaseVerificationRequest) {
      released.push(request);
      return { standing: HELD };
    },
    ...answers,
  } as unknown as ServiceClient<ExecutorServiceServer>;
  const outOfReach: string[] = [];
  const onFree = vi.fn();
  const verifier = createVerifier({
    client,
    completion: createCompletion(client, { callMs: timing.callMs, giveUp: new AbortController().signal }),
    reach: { failed: (_known, digest) => void outOfReach.push(digest), worked: () => undefined },
    works: createWorks(),
    env: {},
    secretsDir: undefined,
    metadataBytes: DEFAULT_METADATA_BYTES,
    timing,
    leaving: leaving.signal,
    worker: 'w1',
    pool: 'default',
    start: (run) => run(),
    onFree,
  });
  return { verifier, completed, renewed, released, leaving, outOfReach, onFree, claimVerification };
}

const GOOD = VerificationState.VERIFICATION_STATE_GOOD;
const DAMAGED = VerificationState.VERIFICATION_STATE_DAMAGED;
const UNKNOWN = VerificationState.VERIFICATION_STATE_UNKNOWN;
const outcomeOf = ([request]: readonly CompleteVerificationRequest[]) => request?.outcome;
const bytesOf = (data: Readonly<Record<string, string>>) => Object.values(data).join('').length;

describe('what a worker says of a backup', () => {
  it('is good where every file is what was written, under its claim and fence', async () => {
    put(sealedBackup());
    const { verifier, completed, onFree } = worker();
    await verifier.offered(['b1']);
    expect(completed).toMatchObject([
      {
        verification: { backupId: 'b1', fence: 3n },
        outcome: {
          value: {
            state: VerificationState.VERIFICATION_STATE_GOOD,
            verdict: expect.stringMatching(/^Every file is byte for byte what TiKV wrote on /),
            problemCount: 0n,
          },
        },
      },
    ]);
    expect(onFree).toHaveBeenCalledTimes(1);
    expect(verifier.isFree).toBe(true);
  });

  it.each<[string, () => void, SignatureState, VerificationState, string[]]>([
    ['signed by a key of the storage', () => undefined, SignatureState.SIGNATURE_STATE_GOOD, GOOD, []],
    [
      'signed by nobody',
      () => writeFileSync(inBackup('tidemark.json'), JSON.stringify({ path: PATH })),
      SignatureState.SIGNATURE_STATE_NONE,
      UNKNOWN,
      ['unsigned'],
    ],
    [
      'signed by somebody else',
      () => writeFileSync(inBackup('tidemark.json'), JSON.stringify(signManifest({ path: PATH }, STRANGER.privateKey))),
      SignatureState.SIGNATURE_STATE_UNKNOWN_KEY,
      UNKNOWN,
      ['unknownKey'],
    ],
    [
      'changed after it was signed',
      () => {
        const manifest = JSON.parse(readFileSync(inBackup('tidemark.json'), 'utf8'));
        writeFileSync(inBackup('tidemark.json'), JSON.stringify({ ...manifest, mode: 'auto' }));
      },
      SignatureState.SIGNATURE_STATE_WRONG,
      DAMAGED,
      ['signature'],
    ],
  ])('of one whose manifest was %s is that', async (_, change, signature, state, kinds) => {
    put(sealedBackup());
    change();
    const { verifier, completed } = worker({ manifestKeys: [pemOf(SIGNER)] });
    await verifier.offered(['b1']);
    expect(outcomeOf(completed)).toMatchObject({
      value: {
        state,
        signature: { state: signature },
        problems: kinds.map((kind) => ({ kind, name: 'tidemark.json' })),
      },
    });
    // Without a key nothing is wanted of it.
    const { verifier: other, completed: unasked } = worker();
    await other.offered(['b1']);
    expect(outcomeOf(unasked)).toMatchObject({ value: { state: GOOD, problems: [] } });
  });

  it('is that its catalogue was put there, where that is whole, and not the one that was signed', async () => {
    put(sealedBackup());
    const { verifier, completed } = worker({ manifestKeys: [pemOf(STRANGER), pemOf(SIGNER)] });
    for (const [name, content] of sealedBackup(undefined, { '1/other.sst': 'rows of somebody else' })) {
      mkdirSync(dirname(inBackup(name)), { recursive: true });
      writeFileSync(inBackup(name), content);
    }
    await verifier.offered(['b1']);
    expect(outcomeOf(completed)).toMatchObject({
      value: {
        state: DAMAGED,
        verdict: expect.stringContaining('tampered with'),
        signature: { state: SignatureState.SIGNATURE_STATE_GOOD, keyId: keyIdOf(SIGNER.publicKey) },
        problems: [{ kind: 'tampered', name: 'backupmeta' }],
      },
    });
  });

  it.each<[string, () => void, string[], string]>([
    [
      'a changed byte',
      () => writeFileSync(inBackup('1/a_write.sst'), 'rows of A'),
      ['content'],
      '1/a_write.sst is damaged: it has the right size',
    ],
    ['a missing file', () => unlinkSync(inBackup('1/a_write.sst')), ['missing'], '1/a_write.sst is missing'],
    [
      'a longer file',
      () => writeFileSync(inBackup('1/a_write.sst'), 'rows of a and more'),
      ['size'],
      'has 18 bytes instead of 9',
    ],
    [
      'a swapped pair',
      () => {
        writeFileSync(inBackup('2/b_write.sst'), DATA['2/c_write.sst'] ?? '');
        writeFileSync(inBackup('2/c_write.sst'), DATA['2/b_write.sst'] ?? '');
      },
      ['swapped', 'swapped'],
      'holds what belongs into 2/c_write.sst',
    ],
    [
      'a truncated backupmeta',
      () => truncateSync(inBackup('backupmeta'), 40),
      ['content'],
      'backupmeta has 40 bytes instead of',
    ],
    ['a backupmeta that is gone', () => unlinkSync(inBackup('backupmeta')), ['missing'], 'backupmeta is missing'],
  ])('names %s', async (_what, harm, kinds, why) => {
    put(sealedBackup());
    harm();
    const { verifier, completed } = worker();
    await verifier.offered(['b1']);
    const value = outcomeOf(completed)?.value;
    expect(value).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_DAMAGED,
      problemCount: BigInt(kinds.length),
    });
    expect(value).toMatchObject({ problems: kinds.map((kind) => ({ kind })) });
    expect(value).toMatchObject({
      problems: expect.arrayContaining([expect.objectContaining({ why: expect.stringContaining(why) })]),
    });
  });

  it('tells a wrong key from damage, and a key that is not there from both', async () => {
    put(sealedBackup(KEY));
    const right = worker({ crypter: putKey(KEY) });
    await right.verifier.offered(['b1']);
    expect(outcomeOf(right.completed)?.value).toMatchObject({ state: VerificationState.VERIFICATION_STATE_GOOD });
    const wrong = worker({ crypter: putKey(Buffer.from('another key that')) });
    await wrong.verifier.offered(['b1']);
    expect(outcomeOf(wrong.completed)?.value).toMatchObject({ problems: [{ kind: 'key' }] });
    const crypter = putKey(KEY);
    unlinkSync(crypter.crypterKeyFile);
    const none = worker({ crypter });
    await none.verifier.offered(['b1']);
    expect(outcomeOf(none.completed)).toMatchObject({ $case: 'notVerified', value: { standing: undefined } });
    expect(none.outOfReach).toEqual([]);
  });

  it('is nothing where the storage is not mounted', async () => {
    put(sealedBackup());
    renameSync(mount, join(mounts, 'elsewhere'));
    mkdirSync(mount);
    const { verifier, completed, outOfReach } = worker();
    await verifier.offered(['b1']);
    expect(outcomeOf(completed)).toMatchObject({
      $case: 'notVerified',
      value: { reason: { message: expect.stringMatching(/^Storage s1 is not mounted here/) } },
    });
    expect(outOfReach).toEqual(['d1']);
  });

  it('is nothing of the files that went with their share in the middle', async () => {
    put(sealedBackup(undefined, LARGE));
    const { verifier, completed, renewed } = worker({ rateLimit: 1 });
    const done = verifier.offered(['b1']);
    await vi.waitFor(() => expect(renewed.at(-1)?.standing?.files ?? 0n).toBeGreaterThan(0n), { timeout: 10_000 });
    renameSync(mount, join(mounts, 'elsewhere'));
    mkdirSync(mount);
    await done;
    const outcome = outcomeOf(completed);
    expect(outcome?.$case).toBe('notVerified');
    for (const { standing } of [...renewed, outcome?.$case === 'notVerified' ? outcome.value : { standing: undefined }])
      expect(standing?.problemCount ?? 0n).toBe(0n);
  });
});

describe('a verification of a worker', () => {
  it('goes on from where another one got to, and says the same as if it had been the only one (G2)', async () => {
    put(sealedBackup());
    writeFileSync(inBackup('1/a_write.sst'), 'rows of A');
    const alone = worker();
    await alone.verifier.offered(['b1']);
    const problem = { kind: 'content', name: '1/a_write.sst', why: 'as it was told' };
    // Its first files of metadata and data are behind it.
    const standing = VerificationStanding.create({
      next: 4n,
      files: 1n,
      bytes: 9n,
      problems: [{ problem, found: '' }],
      problemCount: 1n,
    });
    const second = worker({ standing });
    unlinkSync(inBackup('1/a_write.sst'));
    await second.verifier.offered(['b1']);
    expect(outcomeOf(second.completed)?.value).toMatchObject({ problems: [problem], problemCount: 1n });
    expect(outcomeOf(second.completed)?.value).toMatchObject({ state: VerificationState.VERIFICATION_STATE_DAMAGED });
  });

  it('is given back at once where this worker is to stop, for another to go on with (G3)', async () => {
    put(sealedBackup(undefined, LARGE));
    const first = worker({ rateLimit: 1 });
    const running = first.verifier.offered(['b1']);
    await vi.waitFor(() => expect(first.renewed.at(-1)?.standing?.files ?? 0n).toBeGreaterThan(0n), {
      timeout: 10_000,
    });
    first.leaving.abort(new Error('stopping'));
    await running;
    expect(first.completed).toEqual([]);
    const [given] = first.released;
    expect(given).toMatchObject({ verification: { backupId: 'b1', fence: 3n } });
    const files = given?.standing?.files ?? 0n;
    expect(files).toBeGreaterThan(0n);
    expect(files).toBeLessThan(25n);
    // What is behind the standing is not read again: the second one does not see that it is gone.
    rmSync(inBackup('1/0.sst'));
    const second = worker({ standing: given?.standing });
    await second.verifier.offered(['b1']);
    expect(outcomeOf(second.completed)?.value).toMatchObject({
      state: VerificationState.VERIFICATION_STATE_GOOD,
      progress: { files: 25n, bytesRead: BigInt(bytesOf(LARGE) + '{"statistics":"of a table"}'.length) },
    });
    expect(first.verifier.isFree).toBe(false);
  });

  it('stops where it is canceled', async () => {
    put(sealedBackup(undefined, LARGE));
    const { verifier, completed } = worker(
      { rateLimit: 1 },
      {
        renewVerification: async () => ({ standing: HELD, state: VerificationState.VERIFICATION_STATE_CANCELING }),
      },
    );
    await verifier.offered(['b1']);
    expect(completed).toMatchObject([{ outcome: { $case: 'stopped' } }]);
  });

  it('says nothing any more where it was lost', async () => {
    put(sealedBackup(undefined, LARGE));
    const { verifier, completed, released } = worker(
      { rateLimit: 1 },
      {
        renewVerification: async () => ({
          standing: TaskStanding.TASK_STANDING_LOST,
          state: VerificationState.VERIFICATION_STATE_RUNNING,
        }),
      },
    );
    await verifier.offered(['b1']);
    expect([...completed, ...released]).toEqual([]);
  });

  it('is one at a time, the first of those offered that it gets (G1)', async () => {
    put(sealedBackup());
    const { verifier, completed, claimVerification } = worker();
    claimVerification.mockResolvedValueOnce({ grant: undefined } as never);
    const first = verifier.offered(['b1', 'b2', 'b3']);
    expect(verifier.isFree).toBe(false);
    await verifier.offered(['b4']);
    await first;
    expect(completed.map(({ verification }) => verification?.backupId)).toEqual(['b2']);
  });

  it('asks nobody again at once where it got none', async () => {
    const refuse = async () => {
      throw new AppError('backup_not_found', 'There is none.');
    };
    const { verifier, onFree } = worker({}, { claimVerification: refuse });
    await verifier.offered(['b1', 'b2']);
    expect(onFree).not.toHaveBeenCalled();
    expect(verifier.isFree).toBe(true);
  });

  it('leaves the files of the backup as they were', async () => {
    const backup = sealedBackup();
    put(backup);
    await worker().verifier.offered(['b1']);
    for (const [name, content] of backup) expect(readFileSync(inBackup(name))).toEqual(content);
  });
});
