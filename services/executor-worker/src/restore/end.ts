/**
 * How a run of `br restore` ended, and what that says of its target. Pure.
 *
 * E1. That a target is as it was is concluded from the error alone with which `br` ended by itself, and never where something
 *     was printed that only comes after all checks, or may have been.
 * E2. Success is exit code 0 and the success summary of the snapshot that was asked for; of a restore to a point in time that of its log,
 *     up to that point. Nothing else.
 * E3. A mismatch of rows is believed wherever it is found, however the run ended: what is wrong stays wrong.
 * E4. What is not known is `stopped`: the target may have been touched.
 */
import type { TargetLook } from '@tidemark/br-restore/cleanup';
import { type EndKind, leftAsItWas } from '@tidemark/br-restore/end';
import { keepsCheckpoint } from '@tidemark/br-restore/versions';
import type { Reason } from '@tidemark/protocol/grpc/tidemark/backup/v1/backup';
import { whyNotStarted } from '../br/outcome.ts';
import type { BrExit } from '../br/process.ts';
import type { StopReason } from '../run-br.ts';
import { type ErrorRow, nothingMatched, RESTORE_ERRORS, WAITS_BEFORE_REFUSAL } from './errors.ts';
import { hasBackup, type RestoreOutput, type RestoreSummary, summaryOf } from './output.ts';

/** What is known of the restore beside its run. */
export interface RestoreFacts {
  readonly brVersion: string;
  /** The snapshot that was to be restored. */
  readonly tso: string;
  /** The point in time that was to be restored, decimal; absent where the backup alone was. */
  readonly point?: string;
  /** The rules that chose a part of the backup, for sentences; undefined for the whole. */
  readonly chosen?: string | undefined;
  /** Whether an earlier attempt may have left a part in the target. */
  readonly wasPartial: boolean;
  /** How often the restore failed before, and how often it waited for another restore. */
  readonly failures: number;
  readonly waits: number;
  /** False: the guard says that it started no `br`. */
  readonly started: boolean;
  readonly stoppedFor: StopReason | undefined;
}

/** Who asked for the end; `silenced`: the guard, for want of a worker. */
type Stopper = StopReason | 'silenced';

/** How a restore ended. */
export interface RestoreEnd {
  readonly kind: EndKind;
  /** What happened, what is left in the target, and what to do; undefined for a success. */
  readonly reason: Reason | undefined;
  /** Whether the same command may succeed by itself; false: only after somebody changed something. */
  readonly retryable: boolean;
  /** Until it is tried again, for `wait`. */
  readonly seconds: number | undefined;
  /** Of a success, also of one after which `br` was killed. */
  readonly summary: RestoreSummary | undefined;
  /** Whether `br` could not remove its checkpoint. */
  readonly checkpointLeft: boolean;
  /** What is to be known of a success, in sentences; empty where there is nothing. */
  readonly remark: string;
  /** Whether `br` was killed, or may have been: then it put nothing back, and schemas cannot be changed for a while. */
  readonly killed: boolean;
  /** Whether the end shows that the backup itself is damaged. */
  readonly sourceDamaged: boolean;
  /** What PD said of the target after it. */
  readonly look?: TargetLook;
}

/** What a restore comes to, before it is said what is left. */
export interface Verdict {
  readonly kind: EndKind;
  readonly code: string;
  /** What happened, as sentences. */
  readonly message: string;
  readonly retryable?: boolean;
  readonly seconds?: number | undefined;
  readonly sourceDamaged?: boolean;
}

const ROWS_DIFFER = /ErrRestoreChecksumMismatch/;
const LAST_LINES = 20;
/** Until another worker, or a corrected one, tries again. */
const NOT_STARTED_SECONDS = 60;

/** What a run came to, once nobody is left in its process group. */
export function endOfRestore(exit: BrExit, printed: RestoreOutput, facts: RestoreFacts): RestoreEnd {
  const isToPoint = facts.point !== undefined;
  const output = isToPoint && hasBackup(printed) ? { ...printed, pastChecks: true } : printed;
  const summary = summaryOf(output, isToPoint);
  const { checkpointLeft } = output;
  const verdict = judge(exit, output, summary, facts);
  if (!verdict)
    return {
      kind: 'succeeded',
      reason: undefined,
      retryable: false,
      seconds: undefined,
      summary,
      checkpointLeft,
      remark: remarkOn(output),
      killed: false,
      sourceDamaged: false,
    };
  const said = output.error || output.errorLines.join('\n') || output.lastLines.slice(-LAST_LINES).join('\n');
  // br tells one error once for each try and each region.
  const detail = [...new Set(said.split('; '))].join('; ');
  const killed = facts.started && exit.error === undefined && exit.code === undefined && exit.signal !== 'SIGTERM';
  return { ...toEnd(verdict, facts, detail), summary, checkpointLeft, killed };
}

/** The end of a restore of which `br` has not said anything, such as one for which none was started. */
export function toEnd(
  { kind, code, message, retryable = false, seconds, sourceDamaged = false }: Verdict,
  facts: Pick<RestoreFacts, 'wasPartial' | 'brVersion' | 'chosen'>,
  detail = '',
): RestoreEnd {
  return {
    kind,
    reason: { code, message: `${message} ${leftOf(kind, facts)}`, detail },
    retryable,
    seconds,
    summary: undefined,
    checkpointLeft: false,
    remark: '',
    killed: false,
    sourceDamaged,
  };
}

function remarkOn({ tablesCompared, tablesNotCompared, withoutTiFlash, withoutTiFlashCount }: RestoreOutput): string {
  const more = withoutTiFlashCount - withoutTiFlash.length;
  return [
    // Of an empty table there is never one.
    ...(tablesCompared === 0 && tablesNotCompared > 0
      ? ['No checksums were compared, because the backup was made without.']
      : []),
    ...(withoutTiFlashCount > 0
      ? [
          `Tables lost their TiFlash replicas, because the target has too few stores of TiFlash: ${withoutTiFlash.join(', ')}${more > 0 ? ` and ${more} more` : ''}.`,
        ]
      : []),
  ].join(' ');
}

/** Undefined for a success. */
function judge(
  exit: BrExit,
  output: RestoreOutput,
  summary: RestoreSummary | undefined,
  facts: RestoreFacts,
): Verdict | undefined {
  const notStarted = whyNotStarted(exit, output);
  if (notStarted !== undefined)
    return {
      kind: 'wait',
      code: 'BR_NOT_STARTED',
      message: `br could not be started (${notStarted}): check the worker’s TIDEMARK_BR.`,
      seconds: NOT_STARTED_SECONDS,
    };
  if (!facts.started)
    return { kind: 'none', code: 'NOT_STARTED', message: 'br could not be started in time.', retryable: true };
  if (summary && output.nothing && !output.pastChecks && facts.chosen !== undefined)
    return nothingMatched(facts.chosen);
  if (summary) return judgeSummary(exit, summary, facts);
  if (ROWS_DIFFER.test(output.error) || output.errorLines.some((line) => ROWS_DIFFER.test(line)))
    return { kind: 'dirty', code: 'ROWS_DIFFER', message: mismatchOf(output) };
  if (exit.code === 0 && facts.point !== undefined && output.pastChecks)
    return {
      kind: 'afterSummary',
      code: 'LOG_NOT_TOLD',
      message: 'br ended without an error, but did not say that it replayed the log.',
      retryable: true,
    };
  if (exit.code === 0)
    return output.usage && !output.pastChecks && !output.isCut
      ? {
          kind: 'refused',
          code: 'BR_CALLED_WRONGLY',
          message:
            'br printed how it is called and did nothing: is the configured program a br of the version that it says?',
        }
      : {
          kind: 'stopped',
          code: 'BR_DID_NOTHING',
          message: 'br ended without an error but also without saying that it succeeded.',
        };
  const stopper = facts.stoppedFor ?? (exit.silenced ? 'silenced' : undefined);
  if (exit.code === 1) return judgeError(output, facts, stopper);
  return stopped(exit, output, facts, stopper);
}

function judgeSummary(
  exit: BrExit,
  { backupTso, pointTso }: RestoreSummary,
  { tso, point }: RestoreFacts,
): Verdict | undefined {
  if (point !== undefined && pointTso !== undefined && pointTso !== point)
    return {
      kind: 'dirty',
      code: 'OTHER_POINT',
      message: `br replayed the log up to ${pointTso} instead of ${point}.`,
    };
  if (backupTso !== undefined && backupTso !== tso)
    return {
      kind: 'dirty',
      code: 'OTHER_SNAPSHOT',
      message: `br restored the snapshot ${backupTso} instead of ${tso}: another backup lies in this place by now.`,
    };
  if (exit.code === 0) return undefined;
  return {
    kind: 'afterSummary',
    code: 'ENDED_AFTER_SUMMARY',
    message: 'br said that it succeeded, and was ended before it had put TiKV and PD back and removed its checkpoint.',
    retryable: true,
  };
}

function mismatchOf({ mismatched }: RestoreOutput): string {
  const named = mismatched.length > 0 ? `of ${mismatched.join(', ')}` : 'of at least one table';
  return `The rows ${named} in the target are not those of the backup: its files were changed, or tables were there before.`;
}

/** `br` ended by itself and said why. */
function judgeError(output: RestoreOutput, facts: RestoreFacts, stopper: Stopper | undefined): Verdict {
  const { error, pastChecks } = output;
  for (const row of RESTORE_ERRORS) {
    const found = row.when.exec(error);
    if (!found) continue;
    const message = typeof row.message === 'string' ? row.message : row.message(found, facts);
    return judgeRow(row, message, { output, facts, stopper });
  }
  if (stopper !== undefined) return stoppedBy(stopper, facts.brVersion);
  return {
    kind: pastChecks ? 'failed' : 'stopped',
    code: /code = Canceled|context canceled/.test(error) ? 'BR_CANCELED' : 'BR_FAILED',
    message: /code = Canceled|context canceled/.test(error)
      ? 'br was told to stop by somebody other than Tidemark.'
      : 'br failed for a reason that Tidemark does not know.',
    retryable: true,
  };
}

interface Circumstances {
  readonly output: RestoreOutput;
  readonly facts: RestoreFacts;
  readonly stopper: Stopper | undefined;
}

function judgeRow(row: ErrorRow, message: string, { output, facts, stopper }: Circumstances): Verdict {
  const { code, sourceDamaged = false } = row;
  const { failed, saidFailed } = output;
  const rule = row.again !== undefined && facts.failures > 0 ? row.again : row.class;
  const pastChecks = output.pastChecks || row.pastChecks === true;
  switch (rule) {
    case 'refused':
    case 'notFresh':
      if (output.isCut && !pastChecks) return { kind: 'stopped', code, message, sourceDamaged };
      // A catalogue that turns out to be damaged late can never be restored from.
      if (pastChecks) return { kind: sourceDamaged ? 'dirty' : 'failed', code, message, sourceDamaged };
      return { kind: rule, code, message, sourceDamaged };
    case 'wait':
      if (output.isCut && !pastChecks) return { kind: 'stopped', code, message, retryable: true };
      if (pastChecks) return { kind: 'failed', code, message, retryable: true };
      if (facts.waits >= WAITS_BEFORE_REFUSAL) return { kind: 'refused', code, message };
      return { kind: 'wait', code, message, seconds: row.seconds };
    case 'dirty':
      return { kind: 'dirty', code, message, sourceDamaged };
    case 'retry':
    case 'change': {
      const retryable = rule === 'retry';
      const proven =
        row.beforeChecks === 'always' || (row.beforeChecks === 'withoutSummary' && failed === undefined && saidFailed);
      if (proven && !pastChecks && !output.isCut) return { kind: 'failedBefore', code, message, retryable };
      if (stopper !== undefined) return stoppedBy(stopper, facts.brVersion);
      return { kind: pastChecks ? 'failed' : 'stopped', code, message, retryable };
    }
  }
}

/** `br` was ended from outside, or ended itself without a word. */
function stopped(exit: BrExit, output: RestoreOutput, facts: RestoreFacts, stopper: Stopper | undefined): Verdict {
  if (stopper !== undefined) return stoppedBy(stopper, facts.brVersion);
  if (exit.signal === 'SIGKILL') {
    const again = facts.failures > 0;
    return {
      kind: 'stopped',
      code: 'BR_KILLED',
      message: `br was killed by SIGKILL, most often for want of memory${again ? ', and not for the first time: give the worker more' : ''}.`,
      retryable: !again,
    };
  }
  if (exit.code === 2)
    return {
      kind: output.pastChecks ? 'failed' : 'stopped',
      code: 'BR_PANICKED',
      message: 'br broke down, as it may when PD restarts.',
      retryable: true,
    };
  return {
    kind: 'stopped',
    code: 'BR_KILLED',
    message:
      exit.signal === undefined
        ? 'br ended, and nobody saw how.'
        : `br was ended by ${exit.signal}, which did not come from Tidemark.`,
    retryable: true,
  };
}

function stoppedBy(stopper: Stopper, brVersion: string): Verdict {
  const says: Readonly<Record<Stopper, Omit<Verdict, 'kind'>>> = {
    silenced: {
      code: 'WORKER_GONE',
      message: 'Its worker ended, or no renewal of the task was answered for too long, so br was stopped.',
      retryable: true,
    },
    lost: { code: 'TASK_LOST', message: 'The task was lost to another worker, so br was stopped.', retryable: true },
    canceled: { code: 'CANCELED', message: 'The restore was canceled.' },
    drained: {
      code: 'WORKER_STOPPED',
      message: 'The worker was stopped.',
      retryable: keepsCheckpoint(brVersion),
    },
    overdue: { code: 'DEADLINE', message: 'The restore did not finish before its deadline and was stopped.' },
    stalled: {
      code: 'STALLED',
      message: 'br made no progress for too long and was stopped; what it was doing is in the log of the attempt.',
      retryable: true,
    },
  };
  return { kind: 'stopped', ...says[stopper] };
}

/** What is left in the target, and what to do about it. */
function leftOf(
  kind: EndKind,
  { wasPartial, brVersion, chosen }: Pick<RestoreFacts, 'wasPartial' | 'brVersion' | 'chosen'>,
): string {
  if (leftAsItWas(kind))
    return wasPartial
      ? 'This attempt changed nothing; the target may hold what earlier ones left.'
      : 'Nothing was changed in the target.';
  const says = chosen === undefined ? OF_THE_WHOLE : OF_A_PART;
  const resume = keepsCheckpoint(brVersion) ? `resume the restore, or ${says.clean}` : says.clean;
  switch (kind) {
    case 'dirty':
      return `${says.it} must not be used, and the restore cannot be resumed: ${says.clean}.`;
    case 'afterSummary':
      return `${says.it} may be whole, and must not be used before that is known: ${resume}.`;
    case 'failed':
      return `${says.holdsPart} and must not be used: ${resume}.`;
    default:
      return `${says.mayHoldPart} and must not be used: ${resume}.`;
  }
}

const OF_THE_WHOLE = {
  it: 'The target',
  holdsPart: 'The target holds a part of the data',
  mayHoldPart: 'The target may hold a part of the data',
  clean: 'clean the target and release it',
};
/** The target may hold tables of others. */
const OF_A_PART: typeof OF_THE_WHOLE = {
  it: 'What the filter chose',
  holdsPart: 'What the filter chose is in the target in part',
  mayHoldPart: 'What the filter chose may be in the target in part',
  clean: 'drop these tables, and no others, and release the target',
};
