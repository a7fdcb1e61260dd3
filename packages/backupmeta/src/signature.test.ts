import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { expect, it } from 'vitest';
import { judgeManifest, keyIdOf, readPrivateKey, readPublicKey, signManifest } from './signature.ts';

const pair = () => generateKeyPairSync('ed25519');
const { privateKey, publicKey } = pair();
const other = pair();
const PATH = 'nfs/c1/p';
const sealed = { bytes: 3, sha256: 'a'.repeat(64) };
const manifest = { schemaVersion: 1, path: PATH, clusterVersion: '8.5.0 “é”', backupmeta: sealed, tso: '5', files: 3 };
const signed = signManifest(manifest, privateKey);
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value, null, 2));
const judge = (value: unknown, keys: readonly KeyObject[] = [publicKey], path = PATH) =>
  judgeManifest(bytes(value), path, keys);

it('a manifest is good if one of the keys signed all of it, however it is written down', () => {
  const { signature, ...rest } = signed;
  const turned = Object.fromEntries([['signature', signature], ...Object.entries(rest).reverse()]);
  for (const value of [signed, turned])
    expect(judge(value, [other.publicKey, publicKey])).toEqual({
      signature: 'good',
      keyId: keyIdOf(publicKey),
      sealed,
    });
  expect(signature.keyId).toBe(keyIdOf(privateKey));
});

it.each<[string, unknown]>([
  ['a changed field', { ...signed, tso: '6' }],
  ['a field more', { ...signed, mode: 'auto' }],
  ['a field less', (({ files: _, ...rest }) => rest)(signed)],
  ['another hash of backupmeta', { ...signed, backupmeta: { ...sealed, sha256: 'b'.repeat(64) } }],
  ['a signature of something else', { ...signed, signature: signManifest({ path: PATH }, privateKey).signature }],
  ['a signature that is none', { ...signed, signature: { ...signed.signature, value: 'AAAA' } }],
])('%s is a wrong signature, and nothing of the manifest is believed', (_, value) => {
  const { finding, ...judged } = judge(value);
  expect(judged).toEqual({ signature: 'wrong', keyId: keyIdOf(publicKey) });
  expect(finding).toMatchObject({ kind: 'signature', why: expect.stringContaining('it was changed since') });
});

it('a manifest that was signed for another backup is wrong here, also where the storage is named higher or lower (J1)', () => {
  expect(judge(signed, [publicKey], 'nfs/c1/q')).toMatchObject({
    signature: 'wrong',
    finding: { why: 'tidemark.json was signed for another backup, and copied here' },
  });
  expect(judge(signed, [publicKey], 'c1/p').signature).toBe('good');
  expect(judge(signed, [publicKey], 'mnt/nfs/c1/p').signature).toBe('good');
});

it('where keys are named, what bears no signature or that of another key is a finding, and not believed (J2)', () => {
  expect(judge(manifest)).toEqual({ signature: 'none', finding: expect.objectContaining({ kind: 'unsigned' }) });
  expect(judgeManifest(undefined, PATH, [publicKey]).finding?.why).toContain('is missing');
  expect(judgeManifest(Buffer.from('{"path'), PATH, [publicKey])).toMatchObject({ finding: { kind: 'unsigned' } });
  expect(judge(signManifest(manifest, other.privateKey))).toEqual({
    signature: 'unknownKey',
    keyId: keyIdOf(other.publicKey),
    finding: expect.objectContaining({ kind: 'unknownKey', why: expect.stringContaining(keyIdOf(other.publicKey)) }),
  });
});

it('where no key is named, it is believed as it is, and nothing is a finding', () => {
  expect(judge(manifest, [])).toEqual({ signature: 'none', sealed });
  expect(judge(signed, [])).toEqual({ signature: 'unknownKey', keyId: keyIdOf(publicKey), sealed });
  expect(judgeManifest(undefined, PATH, [])).toEqual({ signature: 'none' });
});

it('takes no other kind of key, and no private key for a public one', () => {
  const pem = (key: KeyObject) =>
    key.export({ type: key.type === 'private' ? 'pkcs8' : 'spki', format: 'pem' }).toString();
  expect(readPrivateKey(pem(privateKey))?.type).toBe('private');
  expect(readPublicKey(pem(publicKey))?.type).toBe('public');
  expect(readPublicKey(pem(privateKey))).toBeUndefined();
  expect(readPrivateKey(pem(publicKey))).toBeUndefined();
  const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 });
  expect(readPublicKey(pem(rsa.publicKey))).toBeUndefined();
  expect(readPrivateKey(pem(rsa.privateKey))).toBeUndefined();
  for (const text of ['', 'no key', '-----BEGIN PUBLIC KEY-----\n']) expect(readPublicKey(text)).toBeUndefined();
});
