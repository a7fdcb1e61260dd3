import { useSignal } from '@preact/signals';
import {
  type Attempt,
  type Backup,
  BackupOrigin,
  BackupState,
  DeletionState,
  VerificationLevel,
} from '@tidemark/protocol/connect/tidemark/backup/v1/backup';
import { useLocation, useRoute } from 'preact-iso';
import { backups } from '../api.ts';
import { actsOn, type BackupAct, isPinned, isVerified, sameAct } from '../backup-acts.ts';
import { useLive } from '../live.ts';
import { Confirm, useAct } from '../parts/act.tsx';
import { attempt, type Losing, LossDialog, type Lost } from '../parts/loss-dialog.tsx';
import { Mark } from '../parts/mark.tsx';
import { Output } from '../parts/output.tsx';
import { Facts, Page, Section } from '../parts/page.tsx';
import { Trouble } from '../parts/problem.tsx';
import { Meter } from '../parts/progress.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, At, Lasted, TaskTime } from '../parts/time.tsx';
import { VerifyDialog } from '../parts/verify-dialog.tsx';
import { bytes, duration } from '../quantities.ts';
import { mayAdminister, mayOperate } from '../session.ts';
import { pathOf, type Same } from '../shell.ts';
import { BACKUP_STATES, DELETION_STATES, isActive, VERIFICATION_STATES, wordOf } from '../words.ts';

const ACTIVE_MS = 1_000;
const OVER_MS = 10_000;

export function BackupPage() {
  const { params } = useRoute();
  const id = params.id ?? '';
  return <BackupOf key={id} id={id} />;
}

function BackupOf({ id }: { readonly id: string }) {
  const live = useLive(
    id,
    async (signal) => (await backups.getBackup({ id }, { signal })).backup,
    (known) => (known && isMoving(known) ? ACTIVE_MS : OVER_MS),
  );
  const backup = live.data.value;
  return (
    <Page
      title={backup ? `Backup of ${backup.clusterId}` : `Backup ${id}`}
      heading={
        backup ? (
          <>
            Backup of <a href={pathOf(['clusters', backup.clusterId])}>{backup.clusterId}</a>{' '}
            <Mark word={wordOf(BACKUP_STATES, backup.state)} />
          </>
        ) : (
          `Backup ${id}`
        )
      }
      actions={backup && mayOperate.value && <Acts backup={backup} onDone={live.refresh} />}
      live={live}
      loading="the backup"
      same={sameReads(id)}
    >
      {backup && (
        <>
          <State backup={backup} />
          <Details backup={backup} />
          <Verifying backup={backup} />
          <Attempts of={backup.attempts} />
          <Section title="Output of br">
            <Output
              id={id}
              isLive={isActive(backup.state)}
              read={(options) => backups.readBackupLog({ id, follow: isActive(backup.state) }, options)}
            />
          </Section>
        </>
      )}
    </Page>
  );
}

function sameReads(id: string): Same[] {
  const path = pathOf(['backups', id]);
  return [
    { method: 'GET', path, tidemark: ['backup', 'get', id] },
    { method: 'GET', path: `${path}/log?follow=true`, tidemark: ['backup', 'logs', '-f', id] },
  ];
}

/** Whether something happens to it that people wait for. */
function isMoving({ state, deletion, verification }: Backup): boolean {
  const { REQUESTED, DELETING } = DeletionState;
  return (
    isActive(state) || deletion?.state === REQUESTED || deletion?.state === DELETING || isVerified(verification?.state)
  );
}

function State({ backup }: { readonly backup: Backup }) {
  const { state, progress, estimate, waiting, reason, queuePosition, nextTryTime, deletion } = backup;
  return (
    <div class="state" aria-live="polite">
      {state === BackupState.RUNNING && (
        <>
          <Meter percent={progress?.percent || estimate?.percent} of="the backup" />
          <p>
            {progress?.step || 'br has not reported its progress yet'}
            {progress?.speed && `, ${progress.speed}`}
            {progress?.remainingSeconds !== undefined && `, ${duration(progress.remainingSeconds)} left`}
            {!progress?.step && estimate && `; ${bytes(estimate.writtenBytes)} are written`}
          </p>
        </>
      )}
      {state === BackupState.QUEUED && queuePosition > 0 && <p>It is number {queuePosition} in line.</p>}
      {nextTryTime && (
        <p>
          It is tried again <Ago at={nextTryTime} />.
        </p>
      )}
      {waiting && (
        <p class="note warn">
          {waiting.message} <code>{waiting.code}</code> since <At at={waiting.since} />
        </p>
      )}
      {reason && (
        <div class={state === BackupState.SUCCEEDED ? 'note' : 'note bad'}>
          <p>
            {reason.message} <code>{reason.code}</code>
          </p>
          {reason.detail && reason.detail !== reason.message && <pre>{reason.detail}</pre>}
        </div>
      )}
      {deletion && deletion.state > DeletionState.NONE && (
        <div class="note warn">
          <p>
            <Mark word={wordOf(DELETION_STATES, deletion.state)} /> by {deletion.by}
            {deletion.reason && `: ${deletion.reason}`}
            {deletion.trashUntil && (
              <>
                , until <At at={deletion.trashUntil} />
              </>
            )}
          </p>
          {deletion.error && <p>{deletion.error}</p>}
          {deletion.remark && <p>{deletion.remark}</p>}
        </div>
      )}
    </div>
  );
}

function Details({ backup }: { readonly backup: Backup }) {
  const { result, verification } = backup;
  return (
    <Facts
      of={[
        ['Started', <At key="s" at={backup.startTime} />],
        ['How long', <TaskTime key="t" of={backup} isWhole />],
        ['Ended', backup.endTime && <At key="e" at={backup.endTime} />],
        ['Size', result && `${bytes(result.sizeBytes)} in ${result.files.toLocaleString('en')} files`],
        ['Snapshot (TSO)', result && <code key="tso">{result.tso.toString()}</code>],
        ['Pinned', isPinned(backup) && 'yes: neither retention nor a person deletes it'],
        ['Damaged', verification?.damaged && <Mark key="d" word={{ name: 'damaged', text: 'Damaged', tone: 'bad' }} />],
        ['Cluster version', result?.clusterVersion],
        [
          'Started by',
          backup.origin === BackupOrigin.SCHEDULE
            ? `the scheduler, rule ${backup.rule}`
            : `${backup.createdBy}${backup.rule && `, as rule ${backup.rule}`}`,
        ],
        ['Storage', backup.storageId],
        ['Path', <code key="p">{backup.path}</code>],
        ['Id', <code key="i">{backup.id}</code>],
        ['Remark', result?.remark],
      ]}
    />
  );
}

function Verifying({ backup: { verification } }: { readonly backup: Backup }) {
  if (!verification) return null;
  const { progress, earlier } = verification;
  const total = Number(progress?.bytesInAll ?? 0n);
  return (
    <Section title="Verification" more={<Mark word={wordOf(VERIFICATION_STATES, verification.state)} />}>
      {isVerified(verification.state) && (
        <>
          <Meter
            percent={total > 0 ? (Number(progress?.bytesRead ?? 0n) / total) * 100 : undefined}
            of="the verification"
          />
          {progress && (
            <p>
              {bytes(progress.bytesRead)} read{total > 0 && ` of ${bytes(total)}`}
            </p>
          )}
        </>
      )}
      {verification.waitsFor && <p class="note warn">{verification.waitsFor}</p>}
      {verification.verdict && <p>{verification.verdict}</p>}
      {earlier && <p>An earlier verdict still counts: {earlier.verdict}</p>}
      <Facts
        of={[
          [
            'Level',
            verification.level === VerificationLevel.META
              ? 'meta'
              : `bytes, ${(verification.sample * 100).toFixed(0)} % of the data files`,
          ],
          ['Asked for', <Ago key="a" at={verification.requestTime} />],
          ['Over', verification.verifiedAt && <Ago key="o" at={verification.verifiedAt} />],
          ['By', verification.createdBy],
        ]}
      />
      {verification.problems.length > 0 && (
        <Table
          label="Problems"
          rows={verification.problems}
          keyOf={({ kind, name }) => `${kind} ${name}`}
          empty=""
          columns={[
            { name: 'File', cell: ({ name }) => <code>{name}</code> },
            { name: 'Kind', cell: ({ kind }) => kind },
            { name: 'Why', cell: ({ why }) => why },
          ]}
        />
      )}
      {verification.problemCount > BigInt(verification.problems.length) && (
        <p class="muted">{verification.problemCount.toString()} problems in all; the first ones are shown.</p>
      )}
    </Section>
  );
}

function Attempts({ of }: { readonly of: readonly Attempt[] }) {
  return (
    <Section title="Attempts">
      <Table
        label="Attempts"
        rows={of}
        keyOf={({ number }) => String(number)}
        empty="No worker has taken it yet."
        columns={[
          { name: 'Number', cell: ({ number }) => number },
          { name: 'Worker', cell: ({ worker }) => worker },
          {
            name: 'Outcome',
            cell: ({ outcome, reason }) => (
              <>
                {outcome || 'at work'}
                {reason && <p class="why">{reason.message}</p>}
              </>
            ),
          },
          { name: 'Began', cell: ({ startTime }) => <At at={startTime} /> },
          { name: 'How long', cell: ({ startTime, endTime }) => <Lasted from={startTime} to={endTime} /> },
          {
            name: 'br',
            cell: ({ brVersion, argv }) => (
              <details>
                <summary>{brVersion || 'command'}</summary>
                <code class="argv">{argv.join(' ')}</code>
              </details>
            ),
          },
        ]}
      />
    </Section>
  );
}

const VERBS: Readonly<Record<BackupAct, string>> = {
  cancel: 'Cancel',
  pin: 'Pin',
  unpin: 'Unpin',
  verify: 'Verify …',
  'cancel verification': 'Cancel verification',
  restore: 'Restore …',
  delete: 'Delete …',
  'delete for good': 'Delete for good …',
  undelete: 'Undelete',
  forget: 'Forget …',
};

/** What is asked about first. */
const ASKED: Partial<Record<BackupAct, { readonly title: string; readonly text: string; readonly isTyped: boolean }>> =
  {
    cancel: { title: 'Cancel this backup?', text: 'br is stopped, and what it wrote is removed.', isTyped: false },
    delete: {
      title: 'Delete this backup?',
      text: 'Record and files go. Where its storage has a bin, a good backup lies there for some days and can be undeleted.',
      isTyped: true,
    },
    'delete for good': {
      title: 'Delete this backup for good?',
      text: 'It is taken out of the bin, and cannot be undeleted.',
      isTyped: true,
    },
    forget: {
      title: 'Forget this backup?',
      text: 'The record goes, and nobody removes its files any more, which may remain.',
      isTyped: true,
    },
  };

function Acts({ backup, onDone }: { readonly backup: Backup; readonly onDone: () => void }) {
  const asked = useSignal<BackupAct | undefined>(undefined);
  const lost = useSignal<Lost | undefined>(undefined);
  const doing = useAct();
  const { route } = useLocation();
  const { id, clusterId } = backup;
  const losing = (act: BackupAct): Losing => ({
    act: (acknowledge) => perform(act, backup, acknowledge),
    same: (acknowledge) => sameAct(act, backup, acknowledge),
  });
  const done = () => {
    asked.value = undefined;
    onDone();
  };
  const begin = (act: BackupAct) => {
    if (act === 'restore') route(`/restores/new?${new URLSearchParams({ backup: id })}`);
    else if (act === 'verify' || ASKED[act]) asked.value = act;
    else void doing.run(() => perform(act, backup)).then((isDone) => isDone && onDone());
  };
  const question = asked.value && ASKED[asked.value];
  const close = () => (asked.value = undefined);
  return (
    <>
      {actsOn(backup, mayAdminister.value).map((act, index) => (
        <button
          key={act}
          type="button"
          class={ASKED[act]?.isTyped ? 'danger quiet' : index === 0 && act !== 'cancel' ? 'primary' : undefined}
          disabled={doing.isBusy.value}
          onClick={() => begin(act)}
        >
          {VERBS[act]}
        </button>
      ))}
      <Trouble problem={doing.problem.value} />
      {asked.value === 'verify' && <VerifyDialog backup={backup} onDone={done} onClose={close} />}
      {asked.value && question && (
        <Confirm
          title={question.title}
          verb={VERBS[asked.value].replace(' …', '')}
          {...(question.isTyped && { typed: clusterId })}
          isDestructive
          same={[sameAct(asked.value, backup)]}
          act={() => attempt(lost, losing(asked.value ?? 'cancel'))}
          onDone={done}
          onClose={close}
        >
          <p>{question.text}</p>
        </Confirm>
      )}
      {!asked.value && <LossDialog lost={lost} typed={clusterId} onDone={onDone} />}
    </>
  );
}

async function perform(act: BackupAct, { id, clusterId }: Backup, acknowledge?: string): Promise<unknown> {
  const known = { id, clusterId, ...(acknowledge !== undefined && { acknowledge }) };
  switch (act) {
    case 'cancel':
      return backups.cancelBackup({ id, clusterId });
    case 'pin':
      return backups.pinBackup({ id });
    case 'unpin':
      return backups.unpinBackup({ id });
    case 'cancel verification':
      return backups.cancelVerification({ id });
    case 'undelete':
      return backups.undeleteBackup({ id });
    case 'delete':
      return backups.deleteBackup(known);
    case 'delete for good':
      return backups.deleteBackup({ ...known, permanently: true });
    case 'forget':
      return backups.deleteBackup({ ...known, forget: true });
    default:
      throw new Error(`${act} is asked for elsewhere`);
  }
}
