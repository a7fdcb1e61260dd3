/** Who changed what: one line per mutation, in the log, as a record of backup-service and, where wanted, in a file of its own. */

import { type FileHandle, open, stat } from 'node:fs/promises';
import { isId } from '@tidemark/limits/id';
import { MAX_WAITING_AUDIT_LINES } from '@tidemark/limits/limits';
import { counter } from '@tidemark/service-kit/metrics';
import type { FastifyRequest } from 'fastify';
import type { AuditLine } from './audit-line.ts';
import type { AuditRecords } from './audit-records.ts';
import { auditLog, log } from './logger.ts';
import { isDryRun } from './rest/save-conditions.ts';

export interface AuditTrail extends AsyncDisposable {
  /** Writes a line; it is in the log at once, and in the file as soon as that can be written. */
  write(line: AuditLine): void;
  /** @throws Error while the file cannot be written */
  check(): Promise<void>;
}

const CLOSE_MS = 2_000;

const lost = counter('tidemark_audit_lines_lost_total', 'Audit lines that did not reach the audit file.', []);

/**
 * @param file which lines are appended to as JSON; made with mode 0600, and made anew when it was moved away.
 *   Left out: there is no such file
 * @param records what keeps them as records; left out, nothing does
 */
export function createAuditTrail(file?: string, records?: Pick<AuditRecords, 'append'>): AuditTrail {
  const sink = file === undefined ? undefined : createAuditFile(file);
  return {
    write(line) {
      const time = new Date();
      auditLog.info(line, 'audit');
      sink?.append(`${JSON.stringify({ time: time.toISOString(), ...line })}\n`);
      records?.append(line, time);
    },
    async check() {
      await sink?.check();
    },
    async [Symbol.asyncDispose]() {
      await sink?.close();
    },
  };
}

function createAuditFile(file: string) {
  const waiting: Buffer[] = [];
  let handle: FileHandle | undefined;
  let writing: Promise<void> | undefined;
  let trouble: Error | undefined;

  const close = async (): Promise<void> => {
    const old = handle;
    handle = undefined;
    await old?.close();
  };
  /** The file of that name now, which may be another than a moment ago. */
  const current = async (): Promise<FileHandle> => {
    const there = await stat(file).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (there && !there.isFile()) throw Object.assign(new Error(`${file} is no file`), { code: 'no file' });
    const mine = await handle?.stat();
    if (handle && there?.ino === mine?.ino && there?.dev === mine?.dev) return handle;
    await close();
    handle = await open(file, 'a', 0o600);
    return handle;
  };
  /** One write a line: several gateways may append to one file. */
  const flush = async (): Promise<void> => {
    try {
      let target = await current();
      for (let line = waiting[0]; line; line = waiting[0]) {
        const { bytesWritten } = await target.write(line);
        if (bytesWritten < line.length) waiting[0] = line.subarray(bytesWritten);
        else waiting.shift();
        if (waiting.length > 0) target = await current();
      }
      if (trouble) log.info({ file }, 'the audit file can be written again');
      trouble = undefined;
    } catch (error) {
      const { code = 'unknown' } = error as NodeJS.ErrnoException;
      const message = `the audit file cannot be written (${code}): lines are in the log only, and wait`;
      if (trouble?.message !== message) log.error({ file, error }, message);
      trouble = new Error(message);
      await close().catch(() => undefined);
    } finally {
      writing = undefined; // in one go with the last look at what waits
    }
  };
  /** What comes while it is written is written by the same turn. */
  const write = (): Promise<void> => {
    writing ??= flush();
    return writing;
  };

  return {
    append(text: string): void {
      waiting.push(Buffer.from(text));
      if (waiting.length > MAX_WAITING_AUDIT_LINES) {
        waiting.splice(1, 1); // the first may be half written
        lost.inc({});
      }
      void write();
    },
    async check(): Promise<void> {
      await write();
      if (trouble) throw trouble;
    },
    async close(): Promise<void> {
      const late = AbortSignal.timeout(CLOSE_MS);
      do await write();
      while (waiting.length > 0 && !trouble && !late.aborted);
      if (waiting.length > 0) log.error({ file, lines: waiting.length }, 'audit lines did not reach the audit file');
      await close().catch(() => undefined);
    },
  };
}

/** The audit line of a request that was answered, if it asked for a mutation; a dry run asks for none. */
export function auditLineOf(request: FastifyRequest, status: number): AuditLine | undefined {
  const what = request.routeOptions.config?.audit;
  if (what === undefined || isDryRun(request)) return undefined;
  const caller: { readonly name: string; readonly tokenId: string } | undefined = request.caller;
  return {
    what,
    // A request that was refused before its route ran is named by its path.
    ...namedInPath(request.params),
    ...request.audited,
    ...(caller && { caller: caller.name, callerId: caller.tokenId }),
    from: request.ip,
    status,
    ...(request.failedWith && { code: request.failedWith }),
    requestId: request.id,
  };
}

const NAMED_IN_PATH = {
  clusterId: 'clusterId',
  backupId: 'backupId',
  restoreId: 'restoreId',
  storageId: 'storageId',
  rule: 'rule',
} as const;

function namedInPath(
  params: unknown,
): Pick<AuditLine, keyof typeof NAMED_IN_PATH | 'fleetStrategy' | 'token' | 'receiver'> {
  const named = (params ?? {}) as Record<string, unknown>;
  const names = { ...NAMED_IN_PATH, name: 'fleetStrategy', tokenId: 'token', receiverId: 'receiver' };
  return Object.fromEntries(
    Object.entries(names).flatMap(([param, name]) => {
      const value = named[param];
      return typeof value === 'string' && isId(value) ? [[name, value]] : [];
    }),
  );
}
