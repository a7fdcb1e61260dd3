import { createHash, timingSafeEqual } from 'node:crypto';
import { Metadata, ServerInterceptingCall, type ServerInterceptor, status } from '@grpc/grpc-js';
import { AUTHORIZATION } from './metadata-names.ts';

const BEARER = 'Bearer ';
const digest = (text: string) => createHash('sha256').update(text).digest();

/** Metadata that proves a call comes from one of Tidemark's own processes. */
export function serviceMetadata(token: string | undefined): Metadata {
  const metadata = new Metadata();
  if (token) metadata.set(AUTHORIZATION, BEARER + token);
  return metadata;
}

/**
 * Refuses every call without the service token, but those to the health service, which orchestrators ask.
 * Without a token to compare with, everything is let through: the certificates of both sides have decided before, or else
 * `exposureProblem` sees to it that only this machine can call.
 */
export function tokenInterceptor(token: string | undefined): ServerInterceptor {
  const expected = token === undefined ? undefined : digest(token);
  return (method, call) =>
    new ServerInterceptingCall(call, {
      start(next) {
        next({
          onReceiveMetadata(metadata, proceed) {
            const presented = metadata.get(AUTHORIZATION)[0]?.toString() ?? '';
            const known =
              expected === undefined ||
              method.path.startsWith('/grpc.health.') ||
              (presented.startsWith(BEARER) && timingSafeEqual(digest(presented.slice(BEARER.length)), expected));
            if (known) proceed(metadata);
            else
              call.sendStatus({
                code: status.UNAUTHENTICATED,
                details:
                  "This service answers only to Tidemark's own processes: the service token is missing or wrong.",
              });
          },
        });
      },
    });
}

/** Whether nothing outside this machine can reach `host`. */
export function isLoopback(host: string): boolean {
  return host === 'localhost' || host === '::1' || /^127(\.\d{1,3}){3}$/.test(host);
}

/**
 * The sentence to refuse with when a process without a certificate would listen beyond loopback and know nobody, if it would.
 *
 * @param meant that the operator said so (`TIDEMARK_ALLOW_OPEN`)
 */
export function exposureProblem(host: string, token: string | undefined, meant: boolean): string | undefined {
  return isLoopback(host) || token !== undefined || meant
    ? undefined
    : `TIDEMARK_HOST is ${host}, which others can reach, and nothing tells them from Tidemark's own processes: set TIDEMARK_TLS_CERT_FILE, TIDEMARK_TLS_KEY_FILE and TIDEMARK_TLS_CA_FILE (mutual TLS), or at least TIDEMARK_SERVICE_TOKEN_FILE, or TIDEMARK_ALLOW_OPEN=true if this is meant`;
}
