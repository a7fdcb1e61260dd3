/** How BR encrypts its metadata (br-contract.md section 6): AES in counter mode, without a check of its own. */
import { createDecipheriv } from 'node:crypto';
import { MAX_SECRET_FILE_BYTES } from '@tidemark/limits/limits';
import type { BrOptions } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { mustBe, useFile } from '@tidemark/storage/secret-file';

/** Decrypts a file with the initialization vector that belongs to it. */
export type Decrypt = (content: Uint8Array, iv: Uint8Array) => Uint8Array;

/** For backups that are not encrypted. */
export const PLAIN: Decrypt = (content) => content;

const KEY_BYTES: Readonly<Record<string, number>> = { 'aes128-ctr': 16, 'aes192-ctr': 24, 'aes256-ctr': 32 };

/**
 * Reads the key that the backup's options name.
 *
 * @param folder below which keys lie; undefined where none is set: then the file may be readable for others, as it was
 * @throws AppError `storage_unusable`, the same whether the file is missing, unreadable or no such key, which is never shown
 */
export async function openCrypter(
  options: BrOptions | undefined,
  folder: string | undefined,
  signal: AbortSignal,
): Promise<Decrypt> {
  const { crypterMethod = '', crypterKeyFile = '' } = options ?? {};
  const bytes = KEY_BYTES[crypterMethod];
  if (bytes === undefined) return PLAIN;
  const readers = folder === undefined ? ('anybody' as const) : ('worker' as const);
  const rules = { folder, maxBytes: MAX_SECRET_FILE_BYTES, readers };
  const must = `${mustBe(rules)} and holds the key, ${2 * bytes} hexadecimal digits for ${crypterMethod}`;
  const key = await useFile(crypterKeyFile, { ...rules, must }, signal, (content) => {
    const text = content.toString('utf8').trim();
    return new RegExp(`^[0-9a-fA-F]{${2 * bytes}}$`).test(text) ? Buffer.from(text, 'hex') : undefined;
  });
  const cipher = `aes-${8 * bytes}-ctr` as const;
  return (content, iv) => {
    const decipher = createDecipheriv(cipher, key, iv);
    return Buffer.concat([decipher.update(content), decipher.final()]);
  };
}
