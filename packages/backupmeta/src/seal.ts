/** What `backupmeta` was when its backup ended, as the manifest beside it says. */
import { hash } from 'node:crypto';

/** The manifest beside a good backup. */
export const MANIFEST = 'tidemark.json';

/** What a file was. */
export interface Seal {
  readonly bytes: number;
  /** SHA-256, in hexadecimal digits. */
  readonly sha256: string;
}

export const sealOf = (content: Uint8Array): Seal => ({ bytes: content.length, sha256: hash('sha256', content) });

/** The seal in a manifest (`tidemark.json`); undefined where it has none, as those of earlier versions, or cannot be read. */
export function toSeal(manifest: Uint8Array): Seal | undefined {
  let read: unknown;
  try {
    read = JSON.parse(Buffer.from(manifest).toString('utf8'));
  } catch {
    return undefined; // A verification says nothing of the manifest.
  }
  const { backupmeta } = (read ?? {}) as { backupmeta?: unknown };
  const { bytes, sha256 } = (backupmeta ?? {}) as { bytes?: unknown; sha256?: unknown };
  if (typeof bytes !== 'number' || typeof sha256 !== 'string' || !/^[0-9a-f]{64}$/.test(sha256)) return undefined;
  return { bytes, sha256 };
}
