/** Bugs to plant, each the smallest edit that breaks one promise, and the check that must find it. */

export interface PlantedBug {
  /** What the product does then. */
  readonly name: string;
  /** The promise of the design that is broken. */
  readonly promise: string;
  readonly file: string;
  /** Stands in the file exactly once. */
  readonly find: string;
  readonly replace: string;
  /** What must find it. */
  readonly check: Check;
}

export type Check =
  /** Test files, by the beginning of their path. */
  | { readonly kind: 'test'; readonly files: string }
  /** A run of `npm run chaos`, which must tell of these violations, or some of them. */
  | { readonly kind: 'chaos'; readonly args: readonly string[] };

const DECIDE = 'services/backup-service/src/decide';
const TASK = 'packages/task/src/task.ts';
const RESTORE = 'services/backup-service/src/restore/decide';
const LOG = 'services/backup-service/src/log/decide';
const RECOVERY = 'services/backup-service/src/recovery';
const RESTORE_WORKER = 'services/executor-worker/src/restore';
const chaos = (...args: string[]): Check => ({ kind: 'chaos', args });
const test = (files: string): Check => ({ kind: 'test', files });

/** Workers that come back when their task is somebody else's. */
const STALE = ['--only', 'freeze-long', '--minutes', '3', '--seed', '1'];

export const PLANTED: readonly PlantedBug[] = [
  {
    name: 'skips the fence: whoever says that he holds a task is believed',
    promise: 'T4',
    file: TASK,
    find: 'return document.task?.claim === claim && (fence === undefined || fence === document.fence);',
    replace: 'return document.task?.claim !== undefined && (document.task.claim === claim || (fence ?? 0) > 0);',
    check: chaos(...STALE),
  },
  {
    name: 'acknowledges a message before its claim',
    promise: 'T7',
    file: 'packages/messaging/src/consumer.ts',
    find: '    const command = read(message);\n',
    replace: '    const command = read(message);\n    channel.ack(message);\n    message.fields.deliveryTag = 0;\n',
    check: test('packages/messaging'),
  },
  {
    name: 'publishes without waiting for the confirm',
    promise: 'T2',
    file: 'packages/messaging/src/publisher.ts',
    find: '      await promise;\n',
    replace: '      void promise.catch(() => undefined);\n',
    check: test('packages/messaging'),
  },
  {
    name: 'forgets to list a removed path again',
    promise: 'T10',
    file: 'services/executor-worker/src/remove-task.ts',
    find: '    if (seen === 0) break;\n',
    replace: '    if (seen === 0 || removed > 0) break;\n',
    check: test('services/executor-worker/src/remove-task'),
  },
  {
    name: 'takes a task away long before its lease is over',
    promise: 'Leases',
    file: TASK,
    find: 'return task?.leaseUntil !== undefined && plus(task.leaseUntil, reapMarginMs) < now;',
    replace: 'return task?.leaseUntil !== undefined && plus(task.leaseUntil, -reapMarginMs * 5) < now;',
    check: test(`${DECIDE}/decide.test`),
  },
  {
    name: 'lets a br run on whose worker is frozen or gone',
    promise: 'T13',
    file: 'services/executor-worker/src/br/guard.mjs',
    find: "  signalGroup('SIGTERM');\n",
    replace: "  if (why.length > 0) return;\n  signalGroup('SIGTERM');\n",
    check: chaos(...STALE),
  },
  {
    name: 'starts a second backup for a key that it has seen',
    promise: 'one key, one backup',
    file: 'services/backup-service/src/rpc/start-backup.ts',
    find: '    const id = backupId(request.key, context.caller);\n',
    replace: "    const id = backupId('', context.caller);\n",
    check: chaos('--only', 'link', '--minutes', '1', '--seed', '1'),
  },
  {
    name: 'believes br without looking at what it wrote',
    promise: 'T9',
    file: 'packages/backupmeta/src/backupmeta.ts',
    find: "  for await (const { why } of compareWithList(files, listed.table, walk, signal)) return { kind: 'bad', why };\n",
    replace: '  void compareWithList;\n',
    check: test('packages/backupmeta/src/backupmeta'),
  },
  {
    name: 'removes the lock of a path before it knows that the task is still its own',
    promise: 'T4',
    file: 'services/executor-worker/src/backup-task.ts',
    find: '    const end = found ?? (grant.mayRun ? await runIt() : mayNotRun());\n',
    replace:
      '    if (grant.previousEnded) await removeLocks(files, await findLocks(files, lease.lost), performance.now() + LOOK_MS);\n    const end = found ?? (grant.mayRun ? await runIt() : mayNotRun());\n',
    check: test('services/executor-worker/src/backup-task'),
  },
  {
    name: 'leaves the files of a backup that was canceled',
    promise: 'T1',
    file: `${DECIDE}/vocabulary.ts`,
    find: "    state !== 'Succeeded' && mayHoldFiles(backup, backup.path)\n",
    replace: "    state === 'Failed' && mayHoldFiles(backup, backup.path)\n",
    check: chaos('--only', 'kill', '--minutes', '1', '--seed', '1'),
  },
  {
    name: 'lets one damaged backup stop whoever looks for due tasks',
    promise: 'one bad record stops nobody',
    file: 'services/backup-service/src/dispatcher.ts',
    find: '          await quarantine.attempt(id, attend, signal);\n',
    replace: '          await attend();\n',
    check: test('services/backup-service/src/damaged-records'),
  },
  {
    name: 'deletes a backup while a restore reads it',
    promise: 'R2',
    file: `${DECIDE}/delete.ts`,
    find: 'if (backup.holds.length > 0 && !staysInBin)',
    replace: "if (backup.holds.some((id) => !id.startsWith('restore:')) && !staysInBin)",
    check: chaos('--only', 'kill', '--minutes', '1', '--seed', '1'),
  },
  {
    name: 'lets br into a target whose restore does not say that it may be touched',
    promise: 'R4',
    file: `${RESTORE}/renew.ts`,
    find: "    targetState: 'Partial',\n",
    replace: '',
    check: chaos('--only', 'br', '--minutes', '1', '--seed', '1'),
  },
  {
    name: 'keeps the hold on the source of a restore that is over',
    promise: 'R2',
    file: `${RESTORE}/vocabulary.ts`,
    find: "    task: partial ? null : firstTask('unhold', now),\n",
    replace: '    task: null,\n',
    check: chaos('--only', 'kill', '--minutes', '1', '--seed', '1'),
  },
  {
    name: 'frees the target of a restore that ended in the middle',
    promise: 'R1',
    file: `${RESTORE}/vocabulary.ts`,
    find: '    activeKey: partial ? restore.activeKey : ownKey(restore),\n',
    replace: '    activeKey: ownKey(restore),\n',
    check: test(`${RESTORE}/testing/explore`),
  },
  {
    name: 'frees a target while the br of a frozen host may be at work there',
    promise: 'R6',
    file: `${RESTORE}/people.ts`,
    find: "  if (quietUntil && now < quietUntil) return refused('quiet', quietUntil);\n",
    replace: '  void quietUntil;\n',
    check: test(`${RESTORE}/testing/explore`),
  },
  {
    name: 'lets a doubled cancel stop the restore that was resumed since',
    promise: 'R12',
    file: `${RESTORE}/people.ts`,
    find: '    known.callId === callId || (known.current && known.requestId === requestId && known.reason === reason);\n',
    replace:
      '    known.current && (known.callId === callId || (known.requestId === requestId && known.reason === reason));\n',
    check: test(`${RESTORE}/testing/explore`),
  },
  {
    name: 'goes on at the checkpoint that another restore left in the target',
    promise: 'R13',
    file: 'services/backup-service/src/restore/restore-steps.ts',
    find: '  if (unclean !== undefined) {\n',
    replace: "  if (unclean === '') {\n",
    check: test('services/backup-service/src/restores.test'),
  },
  {
    name: 'drops the options of a restore on its second attempt',
    promise: 'R5',
    file: `${RESTORE_WORKER}/task.ts`,
    find: '  const restoreArgv = restoreArguments(order, program.version);\n',
    replace:
      '  const restoreArgv = restoreArguments(grant.wasPartial ? { ...order, options: {} } : order, program.version);\n',
    check: test(`${RESTORE_WORKER}/task.test`),
  },
  {
    name: 'drops the filter of a restore on its second attempt',
    promise: 'R5',
    file: `${RESTORE_WORKER}/task.ts`,
    find: '  const restoreArgv = restoreArguments(order, program.version);\n',
    replace:
      '  const asBefore = grant.wasPartial ? { ...order.options, filter: [] } : order.options;\n  const restoreArgv = restoreArguments({ ...order, options: asBefore }, program.version);\n',
    check: test(`${RESTORE_WORKER}/task.test`),
  },
  {
    name: 'believes a br that was killed after its summary',
    promise: 'R8',
    file: `${RESTORE_WORKER}/end.ts`,
    find: '  if (exit.code === 0) return undefined;\n',
    replace: '  if (exit.code !== 1) return undefined;\n',
    check: test(`${RESTORE_WORKER}/end.test`),
  },
  {
    name: 'forgets how a br ended before that was answered',
    promise: 'R10',
    file: `${RESTORE_WORKER}/task.ts`,
    find: "  if (answer !== 'unanswered') await folders.remove(restore.claim);\n",
    replace: '  await folders.remove(restore.claim);\n',
    check: test(`${RESTORE_WORKER}/task.test`),
  },
  {
    name: 'deletes the backup from which points of a log are replayed',
    promise: 'P4',
    file: `${RECOVERY}/needed.ts`,
    find: '      bases.set(base.id, [...(bases.get(base.id) ?? []), points]);\n',
    replace: '      if (generation.open) bases.set(base.id, [...(bases.get(base.id) ?? []), points]);\n',
    check: test(`${RECOVERY}/testing/explore`),
  },
  {
    name: 'does not see the hole that a log leaves which ended',
    promise: 'P1',
    file: `${RECOVERY}/recoverable.ts`,
    find: '    if (from === undefined || from === to || ranges.some((range) => range.from <= from && to <= range.to)) continue;\n',
    replace: '    if (from === undefined || from === to || ranges.some((range) => range.from <= from)) continue;\n',
    check: test(`${RECOVERY}/recoverable.test`),
  },
  {
    name: 'truncates a log while a restore reads it',
    promise: 'P7',
    file: `${RECOVERY}/log-plan.ts`,
    find: 'until <= min || holds.length > 0 || truncating)',
    replace: 'until <= min || truncating)',
    check: test(`${LOG}/truncation.test`),
  },
  {
    name: 'takes files of a log before it promises less',
    promise: 'P6',
    file: `${LOG}/truncation.ts`,
    find: '      return [{ ...one, min: minAfter(log, one, until), truncating:',
    replace: '      return [{ ...one, min: until === null ? minAfter(log, one, until) : one.min, truncating:',
    check: test(`${LOG}/truncation.test`),
  },
  {
    name: 'stops the log backup of somebody else',
    promise: 'L1',
    file: `${LOG}/act.ts`,
    find: "  if (state === 'Unknown' || state === 'Foreign') return undefined;\n",
    replace: "  if (state === 'Unknown') return undefined;\n  if (state === 'Foreign') return 'stop';\n",
    check: test(`${LOG}/decide.test`),
  },
  {
    name: 'goes on by itself with a log backup that a person paused',
    promise: 'L6',
    file: `${LOG}/act.ts`,
    find: "      return reached || log.resumeBegun ? undefined : 'resume';\n",
    replace: "      return log.resumeBegun ? undefined : 'resume';\n",
    check: test(`${LOG}/testing/explore`),
  },
  {
    name: 'begins a log in the place of one that was stopped',
    promise: 'L3',
    file: `${LOG}/act.ts`,
    find: '  const n = (lastGeneration(log)?.n ?? 0) + 1;\n',
    replace:
      '  const before = lastGeneration(log);\n  const n = (before?.n ?? 0) + 1;\n  if (before) place = { ...place, path: before.path, taskName: before.taskName };\n',
    check: test(`${LOG}/testing/explore`),
  },
  {
    name: 'promises what was read before it was known whose log it is',
    promise: 'L4',
    file: `${LOG}/look.ts`,
    find: '  const read = isKnown && range && !open.dead ?',
    replace: '  const read = range && !open.dead ?',
    check: test(`${LOG}/decide.test`),
  },
  {
    name: 'restores into a cluster while its log backup may be started',
    promise: 'L7',
    file: `${LOG}/act.ts`,
    find: "  if (block !== null || wanted === 'off') return undefined;\n",
    replace: "  if (wanted === 'off') return undefined;\n",
    check: test(`${LOG}/decide.test`),
  },
  {
    name: 'believes a restore to a point in time by the summary of its backup',
    promise: 'E2',
    file: `${RESTORE_WORKER}/output.ts`,
    find: '  if (!isToPoint) return success && readRestoreSummary(success);\n',
    replace: '  if (!isToPoint || !successes.has(OF_LOG)) return success && readRestoreSummary(success);\n',
    check: test(`${RESTORE_WORKER}/end.test`),
  },
  {
    name: 'believes a restore to another point than was asked for',
    promise: 'E2',
    file: `${RESTORE_WORKER}/end.ts`,
    find: '  if (point !== undefined && pointTso !== undefined && pointTso !== point)\n',
    replace: '  if (point !== undefined && pointTso !== undefined && pointTso === undefined)\n',
    check: test(`${RESTORE_WORKER}/end.test`),
  },
  {
    name: 'hands a restore to a point in time to a worker that knows no logs',
    promise: 'T4',
    file: `${RESTORE}/claim.ts`,
    find: '    (replaysLogs || source.point === undefined) &&\n',
    replace: '    (replaysLogs || source !== undefined) &&\n',
    check: test('services/backup-service/src/restore/after-loss.test'),
  },
];
