import { get as getPlain } from 'node:http';
import { get as getSecure } from 'node:https';
import { MAX_GOROUTINE_DUMP_BYTES } from '@tidemark/limits/limits';
import type { TlsFiles } from '@tidemark/protocol/grpc/tidemark/backup/v1/registry_service';
import { readClusterTls } from './cluster-tls.ts';

const PATH = '/debug/pprof/goroutine?debug=2';
const DEADLINE_MS = 5_000;

/**
 * What every goroutine of a `br` is doing, asked of its own status listener (br-contract 3.7): the evidence that is gone
 * once a hung `br` is killed. It listens on loopback, with TLS when `br` talks TLS to the cluster.
 *
 * @param address as `br` printed it, host:port
 * @returns the text, at most 2 MiB of it
 * @throws Error when nothing answers within 5 s
 */
export async function readGoroutines(address: string, tls: TlsFiles | undefined): Promise<string> {
  const url = `${tls?.ca ? 'https' : 'http'}://${address}${PATH}`;
  const signal = AbortSignal.timeout(DEADLINE_MS);
  // The certificate is the cluster's and does not name loopback; its issuer is checked.
  const material = tls?.ca ? { ...(await readClusterTls(tls, signal)), checkServerIdentity: () => undefined } : {};
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const request = (tls?.ca ? getSecure : getPlain)(url, { ...material, signal }, (response) => {
    let text = '';
    response.setEncoding('utf8');
    response.on('data', (chunk: string) => {
      text += chunk;
      if (text.length <= MAX_GOROUTINE_DUMP_BYTES) return;
      resolve(`${text.slice(0, MAX_GOROUTINE_DUMP_BYTES)}\n…`);
      request.destroy();
    });
    response.on('end', () => {
      if (response.statusCode === 200) resolve(text);
      else reject(new Error(`br's status listener answered ${response.statusCode}`));
    });
    response.on('error', reject);
  });
  request.on('error', reject);
  return promise;
}
