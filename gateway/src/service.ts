import type { AddressInfo } from 'node:net';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { createAuditTrail } from './audit.ts';
import { createAuthenticator } from './authenticate.ts';
import { createBackends, openChannels, serviceHeaders } from './backends.ts';
import { createClusterLabels } from './cluster-labels.ts';
import type { GatewayConfig } from './config.ts';
import { buildGateway } from './gateway.ts';
import { createIssuer } from './issuer.ts';
import { log } from './logger.ts';
import { createRateLimit } from './rate-limit.ts';

export interface RunningGateway extends AsyncDisposable {
  readonly port: number;
  readonly operationsPort: number;
}

/** Keep-alive connections of clients would hold a closing server for over a minute (stack-findings 4.2). */
const SWEEP_MS = 250;
const FORCE_MS = 8_000;

/** Starts the gateway; the services behind it may come and go. */
export async function startGateway(config: GatewayConfig): Promise<RunningGateway> {
  await using stack = new AsyncDisposableStack();
  const channels = stack.use(openChannels(config));
  const backends = createBackends(channels.transports);
  const authenticator = createAuthenticator(config.tokensFile, {
    clusterLabels: createClusterLabels(backends.registry, serviceHeaders(config.serviceToken)),
    signedTokens: config.issuer && createIssuer(config.issuer),
  });
  const audit = stack.use(createAuditTrail(config.auditFile));
  const app = buildGateway({
    backends,
    authenticator,
    audit,
    rateLimit: createRateLimit(config.rate),
    serviceToken: config.serviceToken,
  });
  stack.defer(async () => {
    const sweep = setInterval(() => app.server.closeIdleConnections(), SWEEP_MS);
    const force = setTimeout(() => app.server.closeAllConnections(), FORCE_MS);
    await app.close();
    clearInterval(sweep);
    clearTimeout(force);
  });
  await app.listen({ host: config.host, port: config.port });
  const operations = stack.use(
    await startOperationsListener({
      host: config.host,
      port: config.operationsPort,
      log,
      ready: { ...channels.checks, tokens: () => authenticator.check(), audit: () => audit.check() },
    }),
  );
  stack.defer(() => operations.stopping());
  const owned = stack.move();
  return {
    port: (app.server.address() as AddressInfo).port,
    operationsPort: operations.port,
    [Symbol.asyncDispose]: () => owned[Symbol.asyncDispose](),
  };
}
