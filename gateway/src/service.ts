import type { AddressInfo } from 'node:net';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { createAuthenticator } from './authenticate.ts';
import { createBackends, openChannels } from './backends.ts';
import type { GatewayConfig } from './config.ts';
import { startGrpcListener } from './connect/grpc-listener.ts';
import { buildGateway } from './gateway.ts';
import { log } from './logger.ts';
import { createRateLimit } from './rate-limit.ts';

export interface RunningGateway extends AsyncDisposable {
  readonly port: number;
  readonly grpcPort: number;
  readonly operationsPort: number;
}

/** Keep-alive connections of clients would hold a closing server for over a minute (stack-findings 4.2). */
const SWEEP_MS = 250;
const FORCE_MS = 8_000;

/** Starts the gateway; the services behind it may come and go. */
export async function startGateway(config: GatewayConfig): Promise<RunningGateway> {
  await using stack = new AsyncDisposableStack();
  const channels = stack.use(openChannels(config));
  const authenticator = createAuthenticator(config.tokensFile);
  const edge = {
    backends: createBackends(channels.transports),
    authenticator,
    rateLimit: createRateLimit(config.rate),
    serviceToken: config.serviceToken,
  };
  const app = buildGateway(edge);
  stack.defer(async () => {
    const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
    const force = setTimeout(() => app.server.closeAllConnections(), FORCE_MS);
    await app.close();
    clearInterval(sweep);
    clearTimeout(force);
  });
  await app.listen({ host: config.host, port: config.port });
  const grpc = stack.use(
    await startGrpcListener({
      ...edge,
      host: config.host,
      port: config.grpcPort,
    }),
  );
  const operations = stack.use(
    await startOperationsListener({
      host: config.host,
      port: config.operationsPort,
      log,
      ready: { ...channels.checks, tokens: () => authenticator.check() },
    }),
  );
  stack.defer(() => operations.stopping());
  const owned = stack.move();
  return {
    port: (app.server.address() as AddressInfo).port,
    grpcPort: grpc.port,
    operationsPort: operations.port,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
