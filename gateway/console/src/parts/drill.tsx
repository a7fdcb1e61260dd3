import { useSignal } from '@preact/signals';
import type { Drill, DrillRun } from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import type { FleetRow } from '@tidemark/protocol/connect/tidemark/scheduler/v1/fleet_service';
import { drills } from '../api.ts';
import { emptiedBy, isOpen, planOf, RUN_STATES, sameReads, sameRemoval, sameRun } from '../drill-form.ts';
import { useLive } from '../live.ts';
import { duration } from '../quantities.ts';
import { mayOperate } from '../session.ts';
import { pathOf } from '../shell.ts';
import { wordOf } from '../words.ts';
import { Confirm } from './act.tsx';
import { DrillDialog } from './drill-dialog.tsx';
import { Mark } from './mark.tsx';
import { Facts, Section } from './page.tsx';
import { SameByShell } from './shell.tsx';
import { Table } from './table.tsx';
import { Ago, At } from './time.tsx';

const SOON_MS = 3_000;
const LATER_MS = 20_000;
const RUNS = 10;

type Asked = 'plan' | 'run' | 'remove';

/** The drill of a cluster: what is planned, what became of its runs, and when the cluster was last proven. */
export function DrillSection({ id, row }: { readonly id: string; readonly row: FleetRow | undefined }) {
  const asked = useSignal<Asked | undefined>(undefined);
  const live = useLive(
    id,
    (signal) => drills.listDrillRuns({ clusterId: id, pageSize: RUNS }, { signal }),
    (known) => (known?.runs.some(isOpen) ? SOON_MS : LATER_MS),
  );
  const known = live.data.value;
  const drill = known?.drill;
  const close = () => (asked.value = undefined);
  const done = () => {
    close();
    live.refresh();
  };
  return (
    <Section
      title="Drill"
      live={live}
      more={
        known &&
        mayOperate.value && (
          <span class="buttons">
            {drill && (
              <button type="button" class="small" onClick={() => (asked.value = 'run')}>
                Run a drill now …
              </button>
            )}
            <button type="button" class="small" onClick={() => (asked.value = 'plan')}>
              {drill ? 'Change …' : 'Plan a drill …'}
            </button>
            {drill && (
              <button type="button" class="small danger quiet" onClick={() => (asked.value = 'remove')}>
                Remove …
              </button>
            )}
          </span>
        )
      }
    >
      <Proof of={row} />
      {known && !drill && <p class="muted">No drill is planned.</p>}
      {drill && <DrillFacts of={drill} />}
      {known && known.runs.length > 0 && <Runs of={known.runs} />}
      {drill && <SameByShell of={sameReads(id)} />}
      {asked.value === 'plan' && <DrillDialog clusterId={id} stored={drill} onDone={done} onClose={close} />}
      {asked.value === 'run' && drill && (
        <Confirm
          title="Run the drill now?"
          verb="Run it"
          same={[sameRun(id)]}
          act={() => drills.runDrill({ clusterId: id })}
          onDone={done}
          onClose={close}
        >
          <p>
            A backup is restored into <b>{drill.targetClusterId}</b>, which is overwritten. It waits for that cluster
            for an hour at most.
          </p>
        </Confirm>
      )}
      {asked.value === 'remove' && (
        <Confirm
          title="Remove the drill?"
          verb="Remove"
          typed={id}
          isDestructive
          same={[sameRemoval(id)]}
          act={() => drills.deleteDrill({ clusterId: id })}
          onDone={done}
          onClose={close}
        >
          <p>Nothing proves the cluster from time to time any more. A restore that it began goes on.</p>
        </Confirm>
      )}
    </Section>
  );
}

/** When a cluster was last proven, and how long that took. */
function Proof({ of }: { readonly of: Pick<FleetRow, 'provenTime' | 'provenSeconds'> | undefined }) {
  if (!of) return null;
  if (!of.provenTime) return <p>It was never proven by a drill that a backup of it can be restored.</p>;
  return (
    <p>
      It was last proven <Ago at={of.provenTime} />: a restore took <b>{duration(of.provenSeconds)}</b>.
    </p>
  );
}

function DrillFacts({ of }: { readonly of: Drill }) {
  return (
    <Facts
      of={[
        ['Restores', planOf(of)],
        [
          'Into',
          <a key="t" href={pathOf(['clusters', of.targetClusterId])}>
            {of.targetClusterId}
          </a>,
        ],
        ['Emptied before by', emptiedBy(of)],
        ['Next', of.nextTime && <At key="n" at={of.nextTime} />],
        [
          'Saved',
          <>
            <Ago at={of.updateTime} />, by {of.updatedBy}
          </>,
        ],
      ]}
    />
  );
}

function Runs({ of }: { readonly of: readonly DrillRun[] }) {
  return (
    <Table
      label="Runs of the drill"
      rows={of}
      keyOf={({ id }) => id}
      empty=""
      columns={[
        {
          name: 'Opened',
          cell: ({ opensAt, byHand }) => (
            <>
              <At at={opensAt} />
              {byHand && <span class="muted"> asked for</span>}
            </>
          ),
        },
        {
          name: 'What became of it',
          cell: ({ state, restoreId, reason, code }) => (
            <>
              {restoreId ? (
                <a href={pathOf(['restores', restoreId])}>
                  <Mark word={wordOf(RUN_STATES, state)} />
                </a>
              ) : (
                <Mark word={wordOf(RUN_STATES, state)} />
              )}
              {reason && (
                <p class="why">
                  {reason} <code>{code}</code>
                </p>
              )}
            </>
          ),
        },
        { name: 'Took', cell: ({ seconds }) => (seconds > 0 ? duration(seconds) : '–'), isNumber: true },
        {
          name: 'Backup',
          cell: ({ backupId, backupTime }) =>
            backupId ? (
              <a href={pathOf(['backups', backupId])}>
                <At at={backupTime} />
              </a>
            ) : (
              <span class="muted">–</span>
            ),
        },
        {
          name: 'Into',
          cell: ({ targetClusterId }) => <a href={pathOf(['clusters', targetClusterId])}>{targetClusterId}</a>,
        },
      ]}
    />
  );
}
