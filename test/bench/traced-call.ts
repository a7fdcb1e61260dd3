/** What one call does for traces on its way through the gateway and a service, around work that is nothing. */
import { headersFrom, traced, traceHeaders, traceId } from '@tidemark/tracing/trace';

const HEADERS: Readonly<Record<string, string>> = { accept: 'application/json', 'x-request-id': 'bench' };
const ATTRIBUTES = { 'tidemark.request_id': 'bench' };

const nothing = async () => undefined;

/** As `perform.ts`, `scope.ts`, `unary-handler.ts` and `logging.ts` do it, a line of the log in each process. */
export async function tracedCall(): Promise<void> {
  const from = headersFrom((name) => HEADERS[name]);
  const options = { kind: 'SERVER', attributes: ATTRIBUTES, ...(from.traceparent !== undefined && { from }) } as const;
  await traced('gateway getBackup', options, async () => {
    traceId();
    await asService({ ...HEADERS, ...traceHeaders() });
  });
}

async function asService(sent: Readonly<Record<string, string>>): Promise<void> {
  const from = headersFrom((name) => sent[name]);
  await traced('tidemark.backup.v1.BackupService/GetBackup', { kind: 'SERVER', from }, async () => {
    traceId();
    await nothing();
  });
}

/** The same without its parts of traces. */
export async function bareCall(): Promise<void> {
  await (async () => {
    await bareService({ ...HEADERS });
  })();
}

async function bareService(_: Readonly<Record<string, string>>): Promise<void> {
  await (async () => {
    await nothing();
  })();
}
