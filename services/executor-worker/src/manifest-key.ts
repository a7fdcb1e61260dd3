/** The key with which this worker signs the manifests of backups. */
import type { KeyObject } from 'node:crypto';
import { readPrivateKey } from '@tidemark/backupmeta/signature';
import { MAX_SECRET_FILE_BYTES } from '@tidemark/limits/limits';
import { ConfigError } from '@tidemark/service-kit/env';
import { mustBe, useFile } from '@tidemark/storage/secret-file';
import { MANIFEST_KEY_SETTING } from './config.ts';

const RULES = { folder: undefined, maxBytes: MAX_SECRET_FILE_BYTES, readers: 'worker' } as const;
const MUST = `${mustBe(RULES)} and holds an Ed25519 key in PKCS#8 PEM that is not encrypted (openssl genpkey -algorithm ed25519)`;

/**
 * Reads the key.
 *
 * @param file undefined where none is set: then manifests are not signed
 * @throws ConfigError the same whether the file is missing, open to others or no such key
 */
export async function openManifestKey(file: string | undefined, signal: AbortSignal): Promise<KeyObject | undefined> {
  if (file === undefined) return undefined;
  try {
    return await useFile(file, { ...RULES, must: MUST }, signal, readPrivateKey);
  } catch (error) {
    const { cause } = error as Error;
    const why = cause instanceof Error && 'code' in cause ? ` (${cause.code})` : '';
    throw new ConfigError([`${MANIFEST_KEY_SETTING} names ${file}, which cannot be used: it ${MUST}${why}`]);
  }
}
