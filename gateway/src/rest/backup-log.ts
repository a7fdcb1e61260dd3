import type { ReadBackupLogResponse } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { FastifyInstance } from 'fastify';
import type { CallDependencies } from '../calls/scope.ts';
import { log } from '../logger.ts';
import { QUERY_FAILED } from './failure-numbers.ts';
import { readBackupLog } from './operations/backups.ts';
import { streamRoute } from './stream.ts';

/** What `br` printed, as plain text: a heading for each attempt, then its lines as they came. */
export function backupLogRoutes(app: FastifyInstance, dependencies: CallDependencies): void {
  streamRoute(app, dependencies, {
    path: '/backups/:backupId/log',
    operation: readBackupLog,
    failureNumber: QUERY_FAILED,
    type: 'text/plain; charset=utf-8',
    toRequest: ({ params, query: { attempt = 0, follow = false } }) => ({ id: params.backupId, attempt, follow }),
    toText: textOf,
  });
}

async function* textOf(pieces: AsyncIterable<ReadBackupLogResponse>, gone: AbortSignal): AsyncGenerator<Uint8Array> {
  const line = (text: string) => Buffer.from(`${text}\n`);
  let current = 0;
  try {
    for await (const { attempt, data, skippedBytes, worker, brVersion } of pieces) {
      if (attempt !== current)
        yield line(`${current ? '\n' : ''}==> attempt ${attempt}, br ${brVersion}, worker ${worker} <==`);
      current = attempt;
      if (skippedBytes > 0n) yield line(`\n[… ${skippedBytes} bytes were not kept …]`);
      yield data;
    }
  } catch (error) {
    if (gone.aborted) return;
    // Thrown on, it would cut the connection, and this line with it.
    log.warn({ error }, 'a log broke off');
    yield line('\n[the log broke off here; ask again]');
  }
}
