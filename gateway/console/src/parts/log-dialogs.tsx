/** What is asked before something is done to a log backup. */
import { timestampFromMs } from '@bufbuild/protobuf/wkt';
import { useSignal } from '@preact/signals';
import { type LogBackup, LogWish } from '@tidemark/protocol/connect/tidemark/backup/v1/log_backup';
import type { ComponentChildren } from 'preact';
import { logBackups } from '../api.ts';
import { formOf, type LogAct, type LogForm, sameAct, sameSave, saveOf, troubleOf } from '../log-words.ts';
import { isoOf, readMoment } from '../moment-text.ts';
import { Confirm } from './act.tsx';
import { attempt, type Losing, LossDialog, type Lost } from './loss-dialog.tsx';

interface DialogProps {
  readonly log: LogBackup;
  /** Something was done. */
  readonly onDone: () => void;
  readonly onClose: () => void;
}

interface LogDialogProps extends DialogProps {
  readonly act: LogAct;
  /** Of the cluster, where the log has none yet. */
  readonly storageId: string;
}

/** Asks about an act, and does it. */
export function LogDialog({ act, storageId, ...props }: LogDialogProps) {
  switch (act) {
    case 'start':
    case 'settings':
      return <SettingsDialog {...props} storageId={storageId} />;
    case 'truncate':
      return <TruncateDialog {...props} />;
    case 'stop':
      return <StopDialog {...props} />;
    default:
      return <SimpleDialog {...props} act={act} />;
  }
}

const ID = '[A-Za-z0-9_\\-]{1,64}';
const MOST_DAYS = 3_650;

function SettingsDialog({ log, storageId, onDone, onClose }: DialogProps & Pick<LogDialogProps, 'storageId'>) {
  const { clusterId, wanted } = log;
  const form = useSignal<LogForm>({ ...formOf(log), storageId: log.storageId || storageId });
  const isPaused = wanted === LogWish.PAUSED;
  const isNew = wanted !== LogWish.ON && !isPaused;
  const change = (part: Partial<LogForm>) => (form.value = { ...form.value, ...part });
  const number = (key: 'retentionDays' | 'lagWarnMinutes' | 'lagCriticalMinutes', text: string, max: number) => (
    <label class="keep">
      <input
        type="number"
        required
        min={1}
        max={max}
        step={1}
        value={form.value[key]}
        onInput={(event) => change({ [key]: event.currentTarget.valueAsNumber || 0 })}
      />
      <span>{text}</span>
    </label>
  );
  return (
    <Confirm
      title={isNew ? `Write the log of ${clusterId} all the time?` : `The log backup of ${clusterId}`}
      verb={isNew ? 'Start it' : 'Save'}
      same={[sameSave(clusterId, form.value, isPaused)]}
      act={() => logBackups.putLogBackup({ clusterId, ...saveOf(form.value, isPaused) })}
      onDone={() => {
        onDone();
        onClose();
      }}
      onClose={onClose}
    >
      {isNew && (
        <p>All that changes is written to the storage, and a full backup is taken from which it can be replayed.</p>
      )}
      <label>
        Storage
        <input
          required
          pattern={ID}
          value={form.value.storageId}
          onInput={(event) => change({ storageId: event.currentTarget.value.trim() })}
        />
      </label>
      {number('retentionDays', 'days of which every second stays restorable', MOST_DAYS)}
      {number('lagWarnMinutes', 'minutes of lag from which on it is told', 24 * 60)}
      {number('lagCriticalMinutes', 'minutes from which on that is critical', 48 * 60)}
    </Confirm>
  );
}

const ASKED = {
  pause: {
    title: 'Pause the log backup?',
    verb: 'Pause',
    text: 'The cluster keeps its history for a day. A pause that lasts longer ends the log, and leaves a hole.',
  },
  resume: {
    title: 'Resume the log backup?',
    verb: 'Resume',
    text: 'It goes on where it was. Where its history or its task is gone, a new log begins with a new full backup.',
  },
} as const;

function SimpleDialog({ log, act, onDone, onClose }: DialogProps & { readonly act: keyof typeof ASKED }) {
  const { clusterId } = log;
  const reason = useSignal('');
  const { title, verb, text } = ASKED[act];
  const options = { reason: reason.value.trim() };
  const perform = () =>
    act === 'pause'
      ? logBackups.pauseLogBackup({ clusterId, ...options })
      : logBackups.resumeLogBackup({ clusterId, ...options });
  return (
    <Confirm
      title={title}
      verb={verb}
      same={[sameAct(act, clusterId, options)]}
      act={perform}
      onDone={() => {
        onDone();
        onClose();
      }}
      onClose={onClose}
    >
      <p>{text}</p>
      <label>
        Why, for the audit
        <input maxLength={1_000} value={reason} onInput={(event) => (reason.value = event.currentTarget.value)} />
      </label>
    </Confirm>
  );
}

interface LosingDialogProps extends Pick<DialogProps, 'onDone' | 'onClose'> {
  readonly clusterId: string;
  readonly title: string;
  readonly verb: string;
  /** Whether the id of the cluster is to be typed. */
  readonly isTyped: boolean;
  readonly losing: Losing;
  readonly children: ComponentChildren;
}

/** Asks before what may lose points; and again, with what is lost, where it does. */
function LosingDialog({ clusterId, title, verb, isTyped, losing, onDone, onClose, children }: LosingDialogProps) {
  const isAsked = useSignal(true);
  const lost = useSignal<Lost | undefined>(undefined);
  const done = () => {
    onDone();
    if (!lost.value) onClose();
  };
  if (!isAsked.value) return <LossDialog lost={lost} typed={clusterId} onDone={done} onClose={onClose} />;
  return (
    <Confirm
      title={title}
      verb={verb}
      {...(isTyped && { typed: clusterId })}
      isDestructive
      same={[losing.same()]}
      act={() => attempt(lost, losing)}
      onDone={() => {
        isAsked.value = false;
        done();
      }}
      onClose={onClose}
    >
      {children}
    </Confirm>
  );
}

const acknowledged = (acknowledge: string | undefined) => acknowledge !== undefined && { acknowledge };

function StopDialog({ log: { clusterId }, ...props }: DialogProps) {
  const removes = useSignal(false);
  const options = { removeFiles: removes.value };
  const losing: Losing = {
    act: (acknowledge) => logBackups.stopLogBackup({ clusterId, ...options, ...acknowledged(acknowledge) }),
    same: (acknowledge) => sameAct('stop', clusterId, { ...options, ...acknowledged(acknowledge) }),
  };
  return (
    <LosingDialog {...props} {...{ clusterId, losing }} title="Stop the log backup?" verb="Stop it" isTyped>
      <p>
        What changes from now on can be restored by full backups alone. What was written stays, and can be restored
        from.
      </p>
      <label class="choice">
        <input type="checkbox" checked={removes} onChange={(event) => (removes.value = event.currentTarget.checked)} />
        <span>Remove all its logs with their files, too</span>
      </label>
    </LosingDialog>
  );
}

function TruncateDialog({ log: { clusterId, retentionDays }, ...props }: DialogProps) {
  const text = useSignal('');
  const read = readMoment(text.value);
  const trouble = troubleOf(text.value);
  const until = 'ms' in read ? read.ms : undefined;
  const losing: Losing = {
    act: (acknowledge) =>
      logBackups.truncateLogBackup({
        ...{ clusterId, ...acknowledged(acknowledge) },
        ...(until !== undefined && { until: timestampFromMs(until) }),
      }),
    same: (acknowledge) =>
      sameAct('truncate', clusterId, {
        ...(until !== undefined && { until: isoOf(until) }),
        ...acknowledged(acknowledge),
      }),
  };
  return (
    <LosingDialog
      {...{ ...props, clusterId, losing }}
      title="Take the beginning out of the log?"
      verb="Truncate"
      isTyped={until !== undefined}
    >
      <p>
        What came before a moment goes, and logs that ended before it. Without a moment that is what no point of the
        last {retentionDays} days needs, which goes by itself too.
      </p>
      <label>
        All before, with its zone
        <input
          spellcheck={false}
          autocomplete="off"
          maxLength={64}
          placeholder="what nobody needs"
          value={text}
          aria-invalid={trouble !== undefined}
          onInput={(event) => {
            text.value = event.currentTarget.value;
            event.currentTarget.setCustomValidity(troubleOf(text.value) ?? '');
          }}
        />
        {trouble !== undefined && <small role="alert">{trouble}</small>}
      </label>
    </LosingDialog>
  );
}
