import { randomUUID } from 'node:crypto';
import type { Deadline, Metadata } from '@grpc/grpc-js';
import { AppError, toAppError } from '@tidemark/errors/app-error';
import { MAX_SHORT_TEXT } from '@tidemark/limits/limits';
import { nameOf } from '../certificate.ts';
import type { Logger } from '../logging.ts';
import { histogram } from '../metrics.ts';
import type { CallContext } from './call-context.ts';
import { CALL_ID, CALLER, decodeCaller, decodeSight, isRequestId, REQUEST_ID, SIGHT } from './metadata-names.ts';

/** What the calls of one method have in common. */
export interface CallObserver {
  /** Such as `/tidemark.backup.v1.BackupService/StartBackup`. */
  readonly path: string;
  readonly log: Logger;
  /** Aborts when the server stops waiting for its calls. */
  readonly stopping: AbortSignal;
  /** Whether the handlers look at what their caller sees. */
  readonly honorsSight?: boolean;
}

/** What unary and streaming calls of grpc-js share. */
interface IncomingCall {
  readonly metadata: Metadata;
  getDeadline(): Deadline;
  getAuthContext(): { readonly sslPeerCertificate?: Parameters<typeof nameOf>[0] };
  on(event: 'cancelled', listener: () => void): unknown;
}

/** One call under way. */
export interface ObservedCall {
  readonly context: CallContext;
  /** Ends what is done for the call. */
  abort(reason: AppError): void;
  succeeded(): void;
  /** Logs the failure, and returns the error that the caller receives. */
  failed(thrown: unknown): AppError;
}

const duration = histogram('tidemark_grpc_server_seconds', 'How long gRPC calls took, by method and outcome.', [
  'method',
  'code',
]);

/** One for all: grpc-js says so at the end of calls that were answered, too, and a stack takes time. */
const GONE = new AppError('canceled', 'The caller went away or its deadline has passed.');

/** Gives a call its context, and reports its end once, as a metric and a log line. */
export function observeCall(call: IncomingCall, { path, log, stopping }: CallObserver): ObservedCall {
  const startedAt = performance.now();
  const gone = new AbortController();
  call.on('cancelled', () => gone.abort(GONE));
  const header = (name: string) => call.metadata.get(name)[0]?.toString();
  const idFrom = (name: string) => {
    const id = header(name);
    return isRequestId(id) ? id : randomUUID();
  };
  const requestId = idFrom(REQUEST_ID);
  const caller = decodeCaller(header(CALLER) ?? 'internal').slice(0, MAX_SHORT_TEXT);
  const signal = AbortSignal.any([gone.signal, stopping]);

  const ended = (code: string) => {
    const ms = performance.now() - startedAt;
    duration.observe({ method: path, code }, ms / 1000);
    return {
      requestId,
      caller,
      // Only where the line is really written: reading a certificate takes as long as a small call.
      get peer() {
        return peerOf(call);
      },
      method: path,
      code,
      ms: Math.round(ms),
    };
  };
  return {
    context: {
      signal,
      requestId,
      callId: idFrom(CALL_ID),
      caller,
      sees: decodeSight(header(SIGHT)),
      log: log.child({ requestId }),
      timeLeftMs: () => Number(call.getDeadline()) - Date.now(),
      leavePlace: () => undefined,
    },
    abort: (reason) => gone.abort(reason),
    succeeded: () => log.debug(ended('OK'), 'call answered'),
    failed(thrown) {
      const error =
        signal.aborted && !(thrown instanceof AppError)
          ? new AppError('canceled', 'The call ended before its work did.', { cause: thrown })
          : toAppError(thrown);
      log[error.row.log]({ ...ended(error.code), error }, 'call failed');
      return error;
    },
  };
}

/** Which process calls, by its certificate; the caller is only whom it names. Nothing once its connection is gone. */
function peerOf(call: IncomingCall): string | undefined {
  try {
    const certificate = call.getAuthContext().sslPeerCertificate;
    return certificate && nameOf(certificate);
  } catch {
    return undefined; // node's HTTP/2 throws for a socket that it has let go
  }
}
