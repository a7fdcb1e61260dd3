/** How BR encrypts its metadata (br-contract.md section 6): AES in counter mode, without a check of its own. */
import { createDecipheriv } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { AppError } from '@tidemark/errors/app-error';
import type { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';

/** Decrypts a file with the initialization vector that belongs to it. */
export type Decrypt = (content: Uint8Array, iv: Uint8Array) => Uint8Array;

/** For backups that are not encrypted. */
export const PLAIN: Decrypt = (content) => content;

const KEY_BYTES: Readonly<Record<string, number>> = { 'aes128-ctr': 16, 'aes192-ctr': 24, 'aes256-ctr': 32 };

/**
 * Reads the key that the backup's options name.
 *
 * @throws AppError `storage_unusable` when the file is not there or holds no such key; the key is never in the text
 */
export async function openCrypter(options: BrOptions | undefined): Promise<Decrypt> {
  const { crypterMethod = '', crypterKeyFile = '' } = options ?? {};
  const bytes = KEY_BYTES[crypterMethod];
  if (bytes === undefined) return PLAIN;
  const key = Buffer.from(await readKey(crypterKeyFile), 'hex');
  if (key.length !== bytes)
    throw new AppError(
      'storage_unusable',
      `The key file ${crypterKeyFile} must hold ${2 * bytes} hexadecimal digits for ${crypterMethod}.`,
    );
  const cipher = `aes-${8 * bytes}-ctr` as const;
  return (content, iv) => {
    const decipher = createDecipheriv(cipher, key, iv);
    return Buffer.concat([decipher.update(content), decipher.final()]);
  };
}

async function readKey(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new AppError('storage_unusable', `The key file ${file} cannot be read on this worker (${code}).`);
  }
}
