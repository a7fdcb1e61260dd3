/**
 * The signature of a manifest (`tidemark.json`): Ed25519 over the manifest in the canonical form of RFC 8785 (JSON
 * Canonicalization Scheme), without its field `signature`.
 *
 * J1. A signature counts for one path: a manifest that was signed for another backup and copied here is not good.
 * J2. What a manifest says is believed only if its signature is good, or where nobody names a key.
 * J3. Which file is at fault is said with the bytes that were signed: of what `backupmeta` was, and of what it names hashes.
 */
import { createHash, createPrivateKey, createPublicKey, type KeyObject, sign, verify } from 'node:crypto';
import canonicalize from 'canonicalize';
import { MANIFEST, type Seal, toSeal } from './seal.ts';

/** `none`: there is no signature; `unknownKey`: by a key that is not among those that were named; `wrong`: it does not fit. */
export type SignatureState = 'good' | 'none' | 'unknownKey' | 'wrong';

/** As it stands in a manifest. */
interface Signature {
  readonly algorithm: 'ed25519';
  /** Names the key; see `keyIdOf`. */
  readonly keyId: string;
  /** Base64. */
  readonly value: string;
}

/** What a manifest is worth. */
export interface JudgedManifest {
  readonly signature: SignatureState;
  /** Of the key that it says it was signed with; undefined where it says none. */
  readonly keyId?: string;
  /** What `backupmeta` was, as far as that is believed (J2). */
  readonly sealed?: Seal;
  /** What is wrong with it, where keys were named, or where it cannot be read. */
  readonly finding?: SignatureFinding;
}

export interface SignatureFinding {
  /** `unreadable`: nobody named a key, and what it was cannot be told. */
  readonly kind: 'unsigned' | 'unknownKey' | 'signature' | 'unreadable';
  readonly name: string;
  /** A sentence without its full stop. */
  readonly why: string;
}

const KEY_ID = /^[0-9a-f]{64}$/;
const PRIVATE = /PRIVATE KEY/;

/** Names a key: the SHA-256 of its public half (SubjectPublicKeyInfo, DER), in hexadecimal digits. */
export function keyIdOf(key: KeyObject): string {
  const half = key.type === 'private' ? createPublicKey(key) : key;
  return createHash('sha256')
    .update(half.export({ type: 'spki', format: 'der' }))
    .digest('hex');
}

/** An Ed25519 key in PKCS#8 PEM, not encrypted; undefined for anything else. */
export function readPrivateKey(pem: string | Buffer): KeyObject | undefined {
  return ed25519(() => createPrivateKey(pem));
}

/** The public half of an Ed25519 key in PEM; undefined for anything else, a private key among it. */
export function readPublicKey(pem: string): KeyObject | undefined {
  return PRIVATE.test(pem) ? undefined : ed25519(() => createPublicKey(pem));
}

function ed25519(read: () => KeyObject): KeyObject | undefined {
  try {
    const key = read();
    return key.asymmetricKeyType === 'ed25519' ? key : undefined;
  } catch {
    return undefined;
  }
}

/** The manifest with its signature. */
export function signManifest<M extends object>(manifest: M, key: KeyObject): M & { readonly signature: Signature } {
  const value = sign(null, canonicalOf(manifest), key).toString('base64');
  return { ...manifest, signature: { algorithm: 'ed25519', keyId: keyIdOf(key), value } };
}

/**
 * Says what a manifest is worth.
 *
 * @param manifest as it lies in the storage; undefined where it is missing
 * @param path in which it lies, below the storage
 * @param keys by which it may be signed, the public halves; with none it is believed as it is
 */
export function judgeManifest(
  manifest: Uint8Array | undefined,
  path: string,
  keys: readonly KeyObject[],
): JudgedManifest {
  const sealed = manifest && toSeal(manifest);
  const { signature, ...signed } = fieldsOf(manifest);
  const hasKeys = keys.length > 0;
  if (!isSignature(signature)) {
    const why = manifest
      ? `${MANIFEST} bears no signature that can be read, and the storage has keys`
      : `${MANIFEST} is missing, and the storage has keys: nothing was signed`;
    return { signature: 'none', ...(hasKeys ? { finding: findingOf('unsigned', why) } : sealed && { sealed }) };
  }
  const { keyId } = signature;
  const key = keys.find((one) => keyIdOf(one) === keyId);
  if (!key) {
    const why = `${MANIFEST} was signed with the key ${keyId}, which is none of the storage`;
    return {
      signature: 'unknownKey',
      keyId,
      ...(hasKeys ? { finding: findingOf('unknownKey', why) } : sealed && { sealed }),
    };
  }
  const wrong = whyWrong(signed, signature, key, path);
  if (wrong !== undefined) return { signature: 'wrong', keyId, finding: findingOf('signature', wrong) };
  return { signature: 'good', keyId, ...(sealed && { sealed }) };
}

/**
 * What a manifest is worth that lies there and cannot be read, such as a folder in its place.
 *
 * @param why a sentence without its full stop
 */
export function unreadableManifest(why: string, keys: readonly KeyObject[]): JudgedManifest {
  const finding =
    keys.length > 0
      ? findingOf('unsigned', `${why}, and the storage has keys: that it was signed is not proven`)
      : findingOf('unreadable', why);
  return { signature: 'none', finding };
}

const findingOf = (kind: SignatureFinding['kind'], why: string): SignatureFinding => ({ kind, name: MANIFEST, why });

function whyWrong(
  signed: Record<string, unknown>,
  { value, keyId }: Signature,
  key: KeyObject,
  path: string,
): string | undefined {
  let fits: boolean;
  try {
    fits = verify(null, canonicalOf(signed), key, Buffer.from(value, 'base64'));
  } catch {
    fits = false; // It is nested deeper than any manifest.
  }
  if (!fits) return `${MANIFEST} is not what was signed with the key ${keyId}: it was changed since`;
  if (isSamePlace(signed.path, path)) return undefined;
  return `${MANIFEST} was signed for another backup, and copied here`;
}

/** Also where the storage is named a few folders higher or lower than it was then. */
function isSamePlace(signed: unknown, path: string): boolean {
  if (typeof signed !== 'string' || signed === '') return false;
  return `/${signed}`.endsWith(`/${path}`) || `/${path}`.endsWith(`/${signed}`);
}

const canonicalOf = (value: object): Buffer => Buffer.from(canonicalize(value) ?? '');

function fieldsOf(manifest: Uint8Array | undefined): Record<string, unknown> {
  try {
    const read: unknown = JSON.parse(Buffer.from(manifest ?? '').toString('utf8'));
    return typeof read === 'object' && read !== null && !Array.isArray(read) ? (read as Record<string, unknown>) : {};
  } catch {
    return {};
  }
}

function isSignature(signature: unknown): signature is Signature {
  const { algorithm, keyId, value } = (signature ?? {}) as Partial<Record<keyof Signature, unknown>>;
  return algorithm === 'ed25519' && typeof value === 'string' && typeof keyId === 'string' && KEY_ID.test(keyId);
}
