/** What a rule would do, before it is saved: its next starts, and what its retention would remove. */
import { timestampMs } from '@bufbuild/protobuf/wkt';
import { occurrences, retention } from '../api.ts';
import { useLive } from '../live.ts';
import { keepsEverything, type PlanForm, saveOf } from '../plan-form.ts';
import { bytes, count, duration } from '../quantities.ts';
import { pathOf } from '../shell.ts';
import { Section } from './page.tsx';
import { Table } from './table.tsx';
import { At, localTime } from './time.tsx';

const STARTS = 7;
const SHOWN = 10;
const EVERY_MS = 60_000;
/** How long nobody types before it is asked. */
const QUIET_MS = 350;

interface ForesightProps {
  readonly clusterId: string;
  readonly rule: string;
  readonly form: PlanForm;
}

function quiet(signal: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(resolve, QUIET_MS);
    signal.addEventListener('abort', () => {
      clearTimeout(timer);
      reject(signal.reason);
    });
  });
}

export function NextStarts({ clusterId, rule, form }: ForesightProps) {
  const live = useLive(
    JSON.stringify([clusterId, rule, form]),
    async (signal) => {
      await quiet(signal);
      const proposal = { clusterId, rule, ...saveOf(form) };
      return occurrences.previewStrategy({ clusterId, rule, proposal, count: STARTS }, { signal });
    },
    EVERY_MS,
  );
  const { data } = live;
  return (
    <Section title="The next starts" live={live}>
      {data.value?.warnings.map((warning) => (
        <p key={warning} class="note warn">
          {warning}
        </p>
      ))}
      {data.value && data.value.pastBackups > 0 && (
        <p class="muted">
          Of {count(data.value.pastBackups, 'past backup')} the longest took {duration(data.value.longestSeconds)};{' '}
          {data.value.pastTooLong} would not have ended before the window closed.
        </p>
      )}
      {data.value && (
        <Table
          label="The next starts"
          rows={data.value.starts}
          keyOf={({ opensAt }) => String(opensAt && timestampMs(opensAt))}
          empty="Nothing is planned."
          columns={[
            { name: 'Starts, your time', cell: ({ startAt }) => <At at={startAt} /> },
            { name: 'Starts, its zone', cell: ({ localStartAt }) => localStartAt.replace('T', ' ') },
            {
              name: 'Window',
              cell: ({ opensAt, closesAt, notes }) => (
                <>
                  {opensAt && localTime(timestampMs(opensAt))} to {closesAt && localTime(timestampMs(closesAt))}
                  {notes.map((note) => (
                    <p key={note} class="why">
                      {note}
                    </p>
                  ))}
                </>
              ),
            },
          ]}
        />
      )}
    </Section>
  );
}

export function WhatGoes({ clusterId, rule, form }: ForesightProps) {
  const isAll = keepsEverything(form);
  const live = useLive(
    JSON.stringify([clusterId, rule, form.keeps]),
    async (signal) => {
      await quiet(signal);
      return retention.evaluateRetention(
        { clusterId, rule, ...(isAll ? { keepEverything: true } : { proposal: { ...form.keeps } }) },
        { signal },
      );
    },
    EVERY_MS,
  );
  const { data, problem } = live;
  const goes = data.value?.verdicts.filter(({ keepReasons }) => keepReasons.length === 0) ?? [];
  const stays = (data.value?.verdicts.length ?? 0) - goes.length;
  // A rule that is not saved yet has no backups that it could remove.
  if (problem.value?.code === 'strategy_not_found') return null;
  return (
    <Section title="What retention would remove" live={live}>
      {data.value && goes.length === 0 && <p>Nothing; {count(stays, 'backup')} would be kept.</p>}
      {goes.length > 0 && data.value && (
        <>
          <p class="note warn">
            {count(goes.length, 'backup')} with {bytes(data.value.bytesToFree)} would go once this is saved;{' '}
            {count(stays, 'backup')} would be kept.
          </p>
          <Table
            label="Backups that would go"
            rows={goes.slice(0, SHOWN)}
            keyOf={({ backupId }) => backupId}
            empty=""
            columns={[
              {
                name: 'Started',
                cell: ({ backupId, startTime }) => (
                  <a href={pathOf(['backups', backupId])}>
                    <At at={startTime} />
                  </a>
                ),
              },
              { name: 'Size', cell: ({ sizeBytes }) => bytes(sizeBytes), isNumber: true },
            ]}
          />
          {goes.length > SHOWN && <p class="muted">and {goes.length - SHOWN} more</p>}
        </>
      )}
    </Section>
  );
}
