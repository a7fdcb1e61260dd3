import type { AddressInfo } from 'node:net';
import { BrError } from './br-error.ts';

// With --ca, --cert and --key the real program serves this over TLS (br-contract 3.7); here it is plain always.

const GOROUTINES = '/debug/pprof/goroutine';

/** What a dump looks like: enough for a caller to keep as evidence, and honest about where it is from. */
function goroutineText(): string {
  return [
    'goroutine 1 [select, 2 minutes]:',
    'demo-br.notPingCapBr()',
    '\tdemo-br/main.go:1 +0x1d',
    'github.com/pingcap/tidb/br/pkg/backup.(*MainBackupLoop).Run(0xc000de0000)',
    '\tgithub.com/pingcap/tidb/br/pkg/backup/client.go:184 +0x5a5',
    '',
    'goroutine 42 [IO wait]:',
    `demo-br.pid(${process.pid})`,
    '\tdemo-br/main.go:2 +0x85',
    '',
  ].join('\n');
}

/** On SIGUSR1 the real program serves the same on every address, on a free port. Here it is this host's only. */
export function serveStatusOnDemand(): void {
  process.on('SIGUSR1', () => {
    serveStatus('127.0.0.1:0').catch(() => undefined);
  });
}

/**
 * Serves what `--status-addr` promises (br-contract 3.7) until the process ends, and says on stderr where. There are no
 * metrics and no progress, as in the real program.
 *
 * @param address `host:port`; port 0 takes a free one
 * @throws BrError if the address cannot be listened on
 */
export async function serveStatus(address: string): Promise<void> {
  const [, host = '', port = ''] = /^(.*):(\d+)$/.exec(address) ?? [];
  if (port === '') throw new BrError(`failed to start pprof: listen tcp: address ${address}: missing port in address`);
  // Imported, all that it exports would be read, and undici loaded for one of them: a fifth of what a start takes.
  const { createServer } = process.getBuiltinModule('node:http');
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://status');
    if (pathname === GOROUTINES) {
      response.setHeader('content-type', 'text/plain; charset=utf-8');
      response.end(goroutineText());
    } else {
      response.writeHead(404, { 'content-type': 'text/plain; charset=utf-8' }).end('404 page not found\n');
    }
  });
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once('error', (error) =>
    reject(new BrError(`failed to start pprof: listen tcp ${address}: ${error.message}`)),
  );
  server.listen(Number(port), host === '' ? '0.0.0.0' : host, resolve);
  await promise;
  server.unref();
  const bound = server.address() as AddressInfo;
  process.stderr.write(`bound pprof to addr ${bound.address}:${bound.port}\n`);
}
