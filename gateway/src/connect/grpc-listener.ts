/**
 * The listener for gRPC, which without TLS is HTTP/2 from the first byte and so cannot share a port with REST. Where the
 * gateway has a certificate, this listener uses it too. Whoever speaks Connect or gRPC-web over HTTP/2 may do so here.
 */

import { once } from 'node:events';
import type { IncomingMessage } from 'node:http';
import {
  createSecureServer,
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from 'node:http2';
import type { AddressInfo } from 'node:net';
import proxyAddr from '@fastify/proxy-addr';
import { AppError } from '@tidemark/errors/app-error';
import { MAX_CALLS_PER_CONNECTION } from '@tidemark/limits/limits';
import { type AuditTrail, createAuditTrail } from '../audit.ts';
import { serviceHeaders } from '../backends.ts';
import { boundConnections } from '../edge/connections.ts';
import { DEFAULT_LIMITS, type Limits, tlsOptions } from '../edge/limits.ts';
import type { HttpsOptions } from '../https-options.ts';
import { matcherOf } from '../networks.ts';
import { createRpcHandler, type RpcDependencies } from './rpc-handler.ts';

export interface GrpcListener extends AsyncDisposable {
  readonly port: number;
  /** Uses a renewed certificate for connections from now on; only of a listener that speaks TLS. */
  renew(https: HttpsOptions): void;
}

export interface GrpcListenerOptions
  extends Omit<RpcDependencies, 'stopping' | 'serviceHeaders' | 'streams' | 'audit' | 'limits'> {
  readonly limits?: Limits;
  /** Proxies whose `X-Forwarded-For` is believed: addresses or networks. */
  readonly trustedProxies?: readonly string[];
  /** Where audit lines go; left out, to the log only. */
  readonly audit?: AuditTrail;
  readonly serviceToken: string | undefined;
  /** With them the listener speaks TLS. */
  readonly https?: HttpsOptions | undefined;
  readonly host: string;
  /** 0 takes a free one. */
  readonly port: number;
}

/** A connection without a call is ended; one with a call that is silent goes on until the call is over. */
const IDLE_MS = 5 * 60_000;
const FORCE_MS = 8_000;

/** @throws Error with the address in it when the port is taken */
export async function startGrpcListener({
  host,
  port,
  serviceToken,
  admission,
  limits = DEFAULT_LIMITS,
  trustedProxies = [],
  audit = createAuditTrail(),
  backends,
  https,
}: GrpcListenerOptions): Promise<GrpcListener> {
  const trusted = matcherOf(trustedProxies);
  const stopping = new AbortController();
  const rpc = createRpcHandler({
    backends,
    admission,
    streams: admission.streams,
    audit,
    limits,
    stopping: stopping.signal,
    serviceHeaders: serviceHeaders(serviceToken),
  });
  const settings = { settings: { maxConcurrentStreams: MAX_CALLS_PER_CONNECTION } };
  const secure = https && createSecureServer({ ...settings, ...tlsOptions(limits), ...https });
  const server = secure ?? createServer(settings);
  boundConnections(server, limits, trusted);
  server.on('request', (request: Http2ServerRequest, response: Http2ServerResponse) => {
    // Its types know HTTP/1.1 alone; what it reads, the headers and the socket, HTTP/2 has too.
    rpc.handle(request, response, proxyAddr(request as unknown as IncomingMessage, trusted) ?? '');
  });
  const sessions = new Set<ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.once('close', () => sessions.delete(session));
    session.on('error', () => session.destroy());
    session.setTimeout(IDLE_MS, () => session.close());
  });
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    renew: (renewed) => secure?.setSecureContext(renewed),
    async [Symbol.asyncDispose]() {
      stopping.abort(new AppError('unavailable', 'The gateway is stopping; call again.'));
      const closed = once(server, 'close');
      server.close();
      for (const session of sessions) session.close(); // lets its calls end, and takes no more
      const force = setTimeout(() => {
        for (const session of sessions) session.destroy();
      }, FORCE_MS);
      await closed;
      clearTimeout(force);
    },
  };
}
