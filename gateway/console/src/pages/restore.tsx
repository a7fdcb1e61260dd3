import { timestampMs } from '@bufbuild/protobuf/wkt';
import { useSignal } from '@preact/signals';
import {
  type CleanupItem,
  type Restore,
  type RestoreAttempt,
  RestoreChecksums,
  RestoreState,
} from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { useRoute } from 'preact-iso';
import { restores } from '../api.ts';
import { useLive } from '../live.ts';
import { isoOf } from '../moment-text.ts';
import { Confirm } from '../parts/act.tsx';
import { Mark } from '../parts/mark.tsx';
import { Output } from '../parts/output.tsx';
import { Facts, Page, Section } from '../parts/page.tsx';
import { Meter } from '../parts/progress.tsx';
import { Table } from '../parts/table.tsx';
import { Ago, At, exactTime, Lasted, TaskTime } from '../parts/time.tsx';
import { bytes, duration } from '../quantities.ts';
import { actsOn, isOpen, phasesOf, type RestoreAct, sameAct, whatComesBack } from '../restore-acts.ts';
import { mayAdminister } from '../session.ts';
import { pathOf } from '../shell.ts';
import { RESTORE_STATES, TARGET_STATES, wordOf } from '../words.ts';

const OPEN_MS = 1_000;
const OVER_MS = 10_000;

export function RestorePage() {
  const { params } = useRoute();
  const id = params.id ?? '';
  return <RestoreOf key={id} id={id} />;
}

function RestoreOf({ id }: { readonly id: string }) {
  const live = useLive(
    id,
    async (signal) => (await restores.getRestore({ id }, { signal })).restore,
    (known) => (known && isOpen(known.state) ? OPEN_MS : OVER_MS),
  );
  const restore = live.data.value;
  const path = pathOf(['restores', id]);
  return (
    <Page
      title={restore ? `Restore into ${restore.target?.clusterId}` : `Restore ${id}`}
      heading={
        restore ? (
          <>
            Restore into <a href={pathOf(['clusters', restore.target?.clusterId ?? ''])}>{restore.target?.clusterId}</a>{' '}
            <Mark word={wordOf(RESTORE_STATES, restore.state)} />{' '}
            <Mark word={wordOf(TARGET_STATES, restore.targetState)} />
          </>
        ) : (
          `Restore ${id}`
        )
      }
      actions={restore && mayAdminister.value && <Acts restore={restore} onDone={live.refresh} />}
      live={live}
      loading="the restore"
      same={[
        { method: 'GET', path, tidemark: ['restore', 'get', id] },
        { method: 'GET', path: `${path}/log?follow=true`, tidemark: ['restore', 'logs', '-f', id] },
      ]}
    >
      {restore && (
        <>
          <Phases of={restore} />
          <State restore={restore} />
          <Cleanup of={restore.cleanup} />
          <Details restore={restore} />
          <Attempts of={restore.attempts} />
          <Section title="Output of br">
            <Output
              id={id}
              isLive={isOpen(restore.state)}
              read={(options) => restores.readRestoreLog({ id, follow: isOpen(restore.state) }, options)}
            />
          </Section>
        </>
      )}
    </Page>
  );
}

function Phases({ of }: { readonly of: Restore }) {
  return (
    <ol class="phases" aria-label="Phases">
      {phasesOf(of).map(({ name, state }) => (
        <li key={name} class={state} aria-current={state === 'now' ? 'step' : undefined}>
          {name}
        </li>
      ))}
    </ol>
  );
}

function State({ restore }: { readonly restore: Restore }) {
  const { progress, reason, advice, needsConfirm, quietUntil, nextTryTime, outcomeUnknown, checksums, result } =
    restore;
  return (
    <div class="state" aria-live="polite">
      {isOpen(restore.state) && (
        <>
          <Meter percent={progress?.percent} of="the restore" />
          {progress && (
            <p>
              {progress.step}
              {progress.speed && `, ${progress.speed}`}
              {progress.remainingSeconds !== undefined && `, ${duration(progress.remainingSeconds)} left`}
            </p>
          )}
        </>
      )}
      {nextTryTime && (
        <p>
          It goes on <Ago at={nextTryTime} />.
        </p>
      )}
      {reason && (
        <div class="note bad">
          <p>
            {reason.message} <code>{reason.code}</code>
          </p>
          {reason.detail && reason.detail !== reason.message && <pre>{reason.detail}</pre>}
        </div>
      )}
      {advice && (
        <div class="note warn">
          <p>
            <b>What to do.</b> {advice}
          </p>
        </div>
      )}
      {outcomeUnknown && <p class="note warn">br may have finished unseen: look at the target before anything else.</p>}
      {needsConfirm && (
        <p class="note warn">A worker was lost. Nothing goes on until somebody says that its host is dead.</p>
      )}
      {quietUntil && (
        <p>
          The target can be released from <At at={quietUntil} /> on.
        </p>
      )}
      {result && checksums === RestoreChecksums.UNPROVEN && (
        <p class="note warn">The checksums are unproven: compare those of the tables before the data are used.</p>
      )}
      {result?.remark && <p class="note">{result.remark}</p>}
    </div>
  );
}

function Cleanup({ of }: { readonly of: readonly CleanupItem[] }) {
  if (of.length === 0) return null;
  return (
    <Section title="What is left in the target">
      <Table
        label="What is left in the target"
        rows={of}
        keyOf={({ what, command }) => `${what} ${command}`}
        empty=""
        columns={[
          {
            name: 'What',
            cell: ({ what, message }) => (
              <>
                <b>{what}</b>
                <p>{message}</p>
              </>
            ),
          },
          { name: 'Until', cell: ({ until }) => (until ? <At at={until} /> : 'somebody sees to it') },
          { name: 'Seen', cell: ({ seenTime }) => (seenTime ? <Ago at={seenTime} /> : 'it may be so') },
          {
            name: 'What to run',
            cell: ({ command }) => (command ? <code>{command}</code> : <span class="muted">nothing</span>),
          },
        ]}
      />
    </Section>
  );
}

function Details({ restore }: { readonly restore: Restore }) {
  const { source, target, options, result } = restore;
  const { point } = source ?? {};
  const pointMs = point?.time && timestampMs(point.time);
  return (
    <Facts
      of={[
        ['From', source && <a href={pathOf(['backups', source.backupId])}>{`a backup of ${source.clusterId}`}</a>],
        [
          restore.state === RestoreState.SUCCEEDED ? 'Brought to' : 'To be brought to',
          pointMs !== undefined && `${exactTime(pointMs)} (${isoOf(pointMs)})`,
        ],
        ['By the log', point && `${point.generation}, in ${point.storageId}: ${point.path}`],
        ['Size', source && bytes(source.sizeBytes)],
        ['PD of the target', target?.pd.join(', ')],
        ['What', whatComesBack(point !== undefined, options?.filter ?? [])],
        ['Started', <At key="s" at={restore.startTime} />],
        ['How long', <TaskTime key="t" of={restore} isWhole />],
        ['br says', result?.summary],
        ['Started by', restore.createdBy],
        ['Worker', restore.worker],
        ['br', restore.brVersion],
        [
          'Released',
          restore.release && `by ${restore.release.by}${restore.release.cleaned ? ', cleaned' : ', as it was'}`,
        ],
        ['Id', <code key="i">{restore.id}</code>],
      ]}
    />
  );
}

function Attempts({ of }: { readonly of: readonly RestoreAttempt[] }) {
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
            cell: ({ outcome, end }) => (
              <>
                {outcome || 'at work'}
                {end?.reason && <p class="why">{end.reason.message}</p>}
              </>
            ),
          },
          { name: 'Began', cell: ({ startTime }) => <At at={startTime} /> },
          { name: 'How long', cell: ({ startTime, endTime }) => <Lasted from={startTime} to={endTime} /> },
        ]}
      />
    </Section>
  );
}

const ASKED: Readonly<
  Record<
    RestoreAct,
    { readonly verb: string; readonly title: string; readonly text: string; readonly isTyped: boolean }
  >
> = {
  cancel: {
    verb: 'Cancel',
    title: 'Cancel this restore?',
    text: 'br is stopped. Once it has begun to write, the target holds a part of the data and must not be used until the restore is resumed, or the target cleaned.',
    isTyped: true,
  },
  resume: {
    verb: 'Resume',
    title: 'Resume this restore?',
    text: 'The same command goes on at its checkpoint.',
    isTyped: false,
  },
  release: {
    verb: 'Release',
    title: 'Release the target?',
    text: 'Other backups and restores may use the cluster again.',
    isTyped: true,
  },
  cleaned: {
    verb: 'It is cleaned',
    title: 'Is nothing of the restore left?',
    text: 'The databases named __TiDB_BR_Temporary_… were dropped, so that another restore may begin there.',
    isTyped: true,
  },
};

function Acts({ restore, onDone }: { readonly restore: Restore; readonly onDone: () => void }) {
  const asked = useSignal<RestoreAct | undefined>(undefined);
  const isCleaned = useSignal(false);
  const isHostDead = useSignal(false);
  const { id, target, needsConfirm } = restore;
  const question = asked.value && ASKED[asked.value];
  const hostDead = needsConfirm ? { hostDead: isHostDead.value } : {};
  const perform = async (): Promise<unknown> => {
    switch (asked.value) {
      case 'resume':
        return restores.resumeRestore({ id, ...hostDead });
      case 'release':
        return restores.releaseRestore({ id, targetCleaned: isCleaned.value, ...hostDead });
      case 'cleaned':
        return restores.confirmCleaned({ id });
      default:
        return restores.cancelRestore({ id });
    }
  };
  const body =
    asked.value === 'release'
      ? { targetCleaned: isCleaned.value, ...hostDead }
      : asked.value === 'resume'
        ? hostDead
        : {};
  return (
    <>
      {actsOn(restore).map((act) => (
        <button
          key={act}
          type="button"
          class={act === 'resume' ? 'primary' : undefined}
          onClick={() => (asked.value = act)}
        >
          {ASKED[act].verb} …
        </button>
      ))}
      {asked.value && question && (
        <Confirm
          title={question.title}
          verb={question.verb}
          {...(question.isTyped && { typed: target?.clusterId ?? '' })}
          isDestructive={asked.value !== 'resume'}
          same={[sameAct(asked.value, id, body)]}
          act={perform}
          onDone={() => {
            asked.value = undefined;
            onDone();
          }}
          onClose={() => (asked.value = undefined)}
        >
          <p>{question.text}</p>
          {asked.value === 'release' && (
            <label class="choice">
              <input
                type="checkbox"
                checked={isCleaned.value}
                onChange={(event) => (isCleaned.value = event.currentTarget.checked)}
              />
              <span>The target was cleaned as the advice says; else it is taken as it is.</span>
            </label>
          )}
          {needsConfirm && (asked.value === 'release' || asked.value === 'resume') && (
            <label class="choice">
              <input
                type="checkbox"
                checked={isHostDead.value}
                onChange={(event) => (isHostDead.value = event.currentTarget.checked)}
              />
              <span>The host of the lost worker is certainly dead.</span>
            </label>
          )}
        </Confirm>
      )}
    </>
  );
}
