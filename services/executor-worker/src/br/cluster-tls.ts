import { MAX_TLS_FILE_BYTES } from '@tidemark/limits/limits';
import type { TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { mustBe, useFile } from '@tidemark/storage/secret-file';

/** What a TLS connection to a cluster is made with; without an authority the cluster talks none. */
export interface ClusterTls {
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}

/** @throws Error where a file cannot be read, or is too large */
export async function readClusterTls({ ca, cert, key }: TlsFiles, signal: AbortSignal): Promise<ClusterTls> {
  const rules = { folder: undefined, maxBytes: MAX_TLS_FILE_BYTES, readers: 'anybody' } as const;
  const read = (file: string) =>
    file === '' ? undefined : useFile(file, { ...rules, must: mustBe(rules) }, signal, (content) => content);
  const [caBytes, certBytes, keyBytes] = await Promise.all([ca, cert, key].map(read));
  return {
    ...(caBytes && { ca: caBytes }),
    ...(certBytes && { cert: certBytes }),
    ...(keyBytes && { key: keyBytes }),
  };
}
