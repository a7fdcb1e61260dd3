import type { ReadBackupLogResponse } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { log } from '../logger.ts';
import { findVisibleBackup } from './find-backup.ts';
import type { RouteDependencies } from './route.ts';
import { sendStream } from './stream.ts';
import { Id, leftOut, parse, wholeNumber } from './validate.ts';

const QUERY_FAILED = 20604;
const MOST_ATTEMPTS = 1_000;
const Query = z.object({
  attempt: leftOut(wholeNumber(1, MOST_ATTEMPTS)),
  follow: leftOut(z.enum(['true', 'false'], 'must be true or false')),
});

/** What `br` printed, as plain text: a heading for each attempt, then its lines as they came. */
export function backupLogRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  app.get<{ Params: { backupId: string } }>(
    '/backups/:backupId/log',
    { config: { failureNumber: QUERY_FAILED } },
    async (request, reply) => {
      const { backupId } = parse(z.object({ backupId: Id }), request.params);
      const { attempt = 0, follow } = parse(Query, request.query);
      await findVisibleBackup(request, dependencies, 'readBackupLog', backupId);
      return sendStream(request, reply, dependencies, {
        type: 'text/plain; charset=utf-8',
        open: (options) => {
          const wanted = { id: backupId, attempt, follow: follow === 'true' };
          return textOf(dependencies.backends.backups.readBackupLog(wanted, options), request.gone);
        },
      });
    },
  );
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
