import { invalidArgument } from '@tidemark/errors/app-error';
import type { ReadBackupLogResponse } from '@tidemark/protocol/connect/tidemark/backup/v1/backup_service';
import type { FastifyInstance } from 'fastify';
import { log } from '../logger.ts';
import { findVisibleBackup } from './find-backup.ts';
import { readBackupLog } from './operations/backups.ts';
import type { RouteDependencies } from './route.ts';
import { sendStream } from './stream.ts';
import { parse } from './validate.ts';

const QUERY_FAILED = 20604;

/** What `br` printed, as plain text: a heading for each attempt, then its lines as they came. */
export function backupLogRoutes(app: FastifyInstance, dependencies: RouteDependencies): void {
  app.get<{ Params: { backupId: string } }>(
    '/backups/:backupId/log',
    { config: { failureNumber: QUERY_FAILED, operation: readBackupLog } },
    async (request, reply) => {
      const { backupId } = parse(readBackupLog.params, request.params);
      const { attempt = 0, follow = false } = parse(readBackupLog.query, request.query);
      const backup = await findVisibleBackup(request, dependencies, 'readBackupLog', backupId);
      const last = backup.attempts.length;
      const mayCome = follow && backup.endTime === undefined;
      // The service refuses it too, but a stream that has begun can refuse nothing.
      if (attempt > last && !mayCome)
        throw invalidArgument([{ field: 'attempt', description: `must be one of the ${last} that there were` }]);
      return sendStream(request, reply, dependencies, {
        type: 'text/plain; charset=utf-8',
        backup,
        open: (options) =>
          textOf(dependencies.backends.backups.readBackupLog({ id: backupId, attempt, follow }, options), request.gone),
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
