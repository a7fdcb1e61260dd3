import type { Server as HttpsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { openTransportSecurity } from '@tidemark/service-kit/grpc/transport-security';
import { startOperationsListener } from '@tidemark/service-kit/operations-listener';
import { watchCertificate } from '@tidemark/service-kit/watched-certificate';
import { createAuditTrail } from './audit.ts';
import { createAuditRecords } from './audit-records.ts';
import { createBackends, openChannels, serviceHeaders } from './backends.ts';
import type { GatewayConfig } from './config.ts';
import { startGrpcListener } from './connect/grpc-listener.ts';
import { CONSOLE_FOLDER, readConsoleFiles } from './console/files.ts';
import { createAdmission } from './edge/admission.ts';
import { buildGateway } from './gateway.ts';
import { httpsOptions } from './https-options.ts';
import { createAuthenticator } from './identity/authenticate.ts';
import { createClusterLabels } from './identity/cluster-labels.ts';
import { createIssuer } from './identity/issuer.ts';
import { createStoredTokens } from './identity/stored-tokens.ts';
import { log } from './logger.ts';

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
  const certificate = stack.use(openTransportSecurity(config, { log }));
  const channels = stack.use(openChannels(config, certificate));
  const listener = stack.use(config.listenerTls && watchCertificate(config.listenerTls, { log }));
  const backends = createBackends(channels.transports);
  const authenticator = createAuthenticator(config.tokensFile, {
    clusterLabels: createClusterLabels(backends.registry, serviceHeaders(config.serviceToken)),
    signedTokens: config.issuer && createIssuer(config.issuer),
    storedTokens: createStoredTokens(backends.registry, serviceHeaders(config.serviceToken)),
  });
  const records = stack.use(createAuditRecords(backends.audit, { headers: serviceHeaders(config.serviceToken) }));
  const audit = stack.use(createAuditTrail(config.auditFile, records));
  const edge = {
    backends,
    audit,
    serviceToken: config.serviceToken,
    admission: stack.use(createAdmission(authenticator, config.limits, config.rate)),
    limits: config.limits,
    trustedProxies: config.trustedProxies,
    allowedOrigins: config.allowedOrigins,
  };
  const https = listener && httpsOptions(listener.current);
  const files = await readConsoleFiles(CONSOLE_FOLDER);
  if (!files) log.info({ folder: CONSOLE_FOLDER }, 'the console was not built; npm start builds it');
  const app = buildGateway({ ...edge, https, console: files && { files, login: config.consoleLogin } });
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
      https,
      host: config.host,
      port: config.grpcPort,
    }),
  );
  listener?.onRenewed((renewed) => {
    (app.server as HttpsServer).setSecureContext(httpsOptions(renewed));
    grpc.renew(httpsOptions(renewed));
  });
  const { 'scheduler-service': scheduler, ...needed } = channels.checks;
  const operations = stack.use(
    await startOperationsListener({
      host: config.operationsHost,
      port: config.operationsPort,
      log,
      ready: { ...needed, tokens: () => authenticator.check(), audit: () => audit.check() },
      // Windows, the fleet and retention are its alone; a balancer that took the gateway out would take all else out, too.
      useful: { 'scheduler-service': scheduler },
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
