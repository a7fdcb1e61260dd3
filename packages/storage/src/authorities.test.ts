import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect, createServer as createPlainServer, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createServer, getCACertificates, setDefaultCACertificates } from 'node:tls';
import { claimDataFolder } from '@tidemark/local-stack/data-folder';
import { startS3Server } from '@tidemark/local-stack/object-stores/s3';
import { temporaryDataFolder } from '@tidemark/local-stack/temporary-data';
import { testAuthority } from '@tidemark/service-kit/testing/certificates';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { trustNamedAuthorities } from './authorities.ts';
import { openStorage } from './open-storage.ts';
import type { StorageFiles } from './storage-files.ts';
import { type Bucket, makeBucket } from './testing/s3-bucket.ts';

const INSTALL_MS = 600_000;
const KEY = { accessKeyId: 'key', secretAccessKey: 'secret' };
const signal = AbortSignal.timeout(INSTALL_MS);
const stack = new AsyncDisposableStack();
const known = getCACertificates('default');
let bucket: Bucket;
let caFile: string;
let proxied = 0;
let proxy: string;

/** Passes bytes on to the store: what ends TLS in front of it, and a proxy that is asked to connect. */
function pass(near: Socket, port: number): void {
  const far = connect(port, '127.0.0.1');
  for (const socket of [near, far]) socket.on('error', () => undefined);
  near.pipe(far).pipe(near);
}

beforeAll(async () => {
  const folder = stack.adopt(temporaryDataFolder(), (path) => rmSync(path, { recursive: true, force: true }));
  const data = stack.use(await claimDataFolder(folder));
  const store = stack.use(await startS3Server({ dataDir: data.path, say: console.error, signal }));
  const port = Number(new URL(store.endpoint).port);
  const authority = await testAuthority();
  const server = createServer(await authority.sign({ names: ['localhost', '127.0.0.1'] }), (socket) =>
    pass(socket, port),
  );
  const proxyServer = createPlainServer((socket) => {
    proxied += 1;
    // The one request that such a client makes of it: CONNECT localhost:<port>.
    socket.once('data', (head) => {
      const [, target = ''] = /^CONNECT [^:]+:(\d+) /.exec(head.toString()) ?? [];
      socket.write('HTTP/1.1 200 Connection established\r\n\r\n');
      pass(socket, Number(target));
    });
  });
  for (const listener of [server, proxyServer]) {
    listener.listen(0, '127.0.0.1');
    await once(listener, 'listening');
    stack.defer(() => void listener.close());
  }
  proxy = `http://127.0.0.1:${(proxyServer.address() as AddressInfo).port}`;
  const files = stack.adopt(mkdtempSync(join(tmpdir(), 'tidemark-ca-')), (path) => rmSync(path, { recursive: true }));
  caFile = join(files, 'ca.pem');
  writeFileSync(caFile, authority.ca);
  bucket = await makeBucket(store.endpoint, `https://localhost:${(server.address() as AddressInfo).port}`, KEY);
}, INSTALL_MS);
afterAll(async () => {
  setDefaultCACertificates(known);
  await stack.disposeAsync();
});

const use = async (env: Record<string, string> = {}): Promise<StorageFiles> =>
  openStorage(bucket.storage, { ...bucket.env, ...env }, { answerMs: 20_000 });

it('names SSL_CERT_FILE where a store has a certificate of an authority of its own, and works once it is set', async () => {
  const before = await use();
  await expect(before.write('a/b', 'x', signal)).rejects.toMatchObject({
    code: 'storage_unusable',
    message: expect.stringMatching(/does not know the authority .* name its file with SSL_CERT_FILE for the worker/),
  });
  expect(trustNamedAuthorities({ SSL_CERT_FILE: caFile })).toEqual([]);
  const after = await use();
  await after.write('a/b', 'x', signal);
  expect(String(await after.read('a/b', signal))).toBe('x');
});

it('reaches a store through the proxy of the shell, as br does', async () => {
  trustNamedAuthorities({ SSL_CERT_FILE: caFile });
  const files = await use({ https_proxy: proxy });
  await files.write('a/c', 'y', signal);
  expect(proxied).toBeGreaterThan(0);
});

it('tells which file of authorities cannot be used', () => {
  expect(trustNamedAuthorities({ SSL_CERT_FILE: '/nowhere/ca.pem' })).toEqual([
    expect.stringContaining('/nowhere/ca.pem names authorities for TLS and cannot be used'),
  ]);
  expect(trustNamedAuthorities({ SSL_CERT_FILE: '/dev/null', SSL_CERT_DIR: '/nowhere' })).toHaveLength(2);
});
