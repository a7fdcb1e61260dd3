import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { type GivenFlags, textFlag } from './arguments.ts';
import { invalidArgument } from './br-error.ts';

/** Length of the initialisation vector, in bytes. */
export const IV_BYTES = 16;

/** Ciphers by the name that `--crypter.method` has for them. */
const CIPHERS: Readonly<Record<string, { name: string; keyBytes: number }>> = {
  'aes128-ctr': { name: 'aes-128-ctr', keyBytes: 16 },
  'aes192-ctr': { name: 'aes-192-ctr', keyBytes: 24 },
  'aes256-ctr': { name: 'aes-256-ctr', keyBytes: 32 },
};

/** Encrypts files, or leaves them as they are (br-contract 6). */
export interface Crypter {
  /** An encrypted body, and the vector that its parent must name; the vector is empty for plain text. */
  seal(body: Uint8Array): { iv: Buffer; body: Buffer };
  open(iv: Uint8Array, body: Uint8Array): Buffer;
  /** The same for `backupmeta`, which has no parent: its vector is its beginning. */
  sealMeta(body: Uint8Array): Buffer;
  openMeta(body: Uint8Array): Buffer;
}

const PLAIN: Crypter = {
  seal: (body) => ({ iv: Buffer.alloc(0), body: Buffer.from(body) }),
  open: (_, body) => Buffer.from(body),
  sealMeta: (body) => Buffer.from(body),
  openMeta: (body) => Buffer.from(body),
};

/**
 * What `--crypter.method` and the key say.
 *
 * @throws BrError if method and key do not fit each other
 */
export async function readCrypter(flags: GivenFlags): Promise<Crypter> {
  const method = textFlag(flags, 'crypter.method', 'plaintext');
  if (method === 'plaintext') return PLAIN;
  const cipher = CIPHERS[method];
  if (cipher === undefined) throw invalidArgument(`invalid crypter method '${method}'`);
  return aesCrypter(cipher.name, await readKey(flags, cipher.keyBytes));
}

async function readKey(flags: GivenFlags, bytes: number): Promise<Buffer> {
  const given = textFlag(flags, 'crypter.key');
  const file = textFlag(flags, 'crypter.key-file');
  if ((given === '') === (file === '')) {
    throw invalidArgument('exactly one of --crypter.key or --crypter.key-file should be provided');
  }
  const hex = given === '' ? await readKeyFile(file) : given;
  const key = Buffer.from(hex, 'hex');
  if (key.length * 2 !== hex.length) throw invalidArgument('failed to decode the crypter key: invalid hex');
  if (key.length !== bytes) throw invalidArgument(`crypter key length not match, expect ${bytes} got ${key.length}`);
  return key;
}

async function readKeyFile(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    throw invalidArgument(`failed to read the crypter key file: ${(error as Error).message}`);
  }
}

function aesCrypter(name: string, key: Buffer): Crypter {
  const seal: Crypter['seal'] = (body) => {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(name, key, iv);
    return { iv, body: Buffer.concat([cipher.update(body), cipher.final()]) };
  };
  const open: Crypter['open'] = (iv, body) => {
    const decipher = createDecipheriv(name, key, iv);
    return Buffer.concat([decipher.update(body), decipher.final()]);
  };
  return {
    seal,
    open,
    sealMeta(plain) {
      const { iv, body } = seal(plain);
      return Buffer.concat([iv, body]);
    },
    openMeta: (sealed) =>
      sealed.length < IV_BYTES ? Buffer.alloc(0) : open(sealed.subarray(0, IV_BYTES), sealed.subarray(IV_BYTES)),
  };
}
