import { useSignal } from '@preact/signals';
import { ClusterPurpose } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { RestorePlan } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { useLocation } from 'preact-iso';
import { backups, restores } from '../api.ts';
import { useLive } from '../live.ts';
import { Confirm, useAct } from '../parts/act.tsx';
import { Known } from '../parts/known.tsx';
import { Mark } from '../parts/mark.tsx';
import { Facts, Page, Section } from '../parts/page.tsx';
import { Trouble } from '../parts/problem.tsx';
import { At } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { bytes, duration } from '../quantities.ts';
import { optionsOf, type RestoreForm, samePlan, sameStart } from '../restore-acts.ts';
import { mayAdminister } from '../session.ts';
import { pathOf } from '../shell.ts';
import type { Word } from '../words.ts';

const SHOWN_POINTS = 20;

/** Which backup, into which cluster; what would be done, and then the word for it. */
export function NewRestorePage() {
  const query = useQuery();
  const { route } = useLocation();
  const form = useSignal<RestoreForm>({
    backupId: query.get('backup') ?? '',
    targetClusterId: query.get('target') ?? '',
    filter: '',
    rateLimit: '',
    withSystemTables: false,
    withoutStats: false,
    waitTiflashReady: false,
  });
  const plan = useSignal<RestorePlan | undefined>(undefined);
  const acknowledged = useSignal<readonly string[]>([]);
  const isAsked = useSignal(false);
  const planning = useAct();
  const change = (part: Partial<RestoreForm>) => {
    form.value = { ...form.value, ...part };
    plan.value = undefined;
    acknowledged.value = [];
  };
  const look = () =>
    planning.run(async () => {
      const { backupId, targetClusterId } = form.value;
      const answer = await restores.planRestore({ backupId, targetClusterId, options: optionsOf(form.value) });
      plan.value = answer.plan;
      acknowledged.value = [];
    });
  const start = async () => {
    const { backupId, targetClusterId } = form.value;
    const { restore } = await restores.startRestore({
      backupId,
      targetClusterId,
      options: optionsOf(form.value),
      planHash: plan.value?.hash ?? '',
      confirm: targetClusterId,
      acknowledge: [...acknowledged.value],
    });
    route(pathOf(['restores', restore?.id ?? '']));
  };
  const blocked = plan.value?.checks.filter(({ result }) => result === 'blocked') ?? [];
  const isReady = blocked.every(({ name }) => acknowledged.value.includes(name));
  return (
    <Page
      title="Restore a backup"
      same={[samePlan(form.value), ...(plan.value ? [sameStart(form.value, plan.value.hash, acknowledged.value)] : [])]}
    >
      <ol class="steps" aria-label="Steps">
        <li aria-current={plan.value ? undefined : 'step'}>1. Choose</li>
        <li aria-current={plan.value ? 'step' : undefined}>2. Look at the plan</li>
        <li>3. Confirm</li>
      </ol>
      <form
        class="stack"
        onSubmit={(event) => {
          event.preventDefault();
          void look();
        }}
      >
        <Choice form={form.value} onChange={change} />
        <Trouble problem={planning.problem.value} />
        <div class="buttons">
          <button type="submit" class={plan.value ? undefined : 'primary'} disabled={planning.isBusy.value}>
            {planning.isBusy.value ? 'Looking …' : 'Show the plan'}
          </button>
          <span class="muted">This changes nothing.</span>
        </div>
      </form>
      {plan.value && (
        <Plan
          plan={plan.value}
          acknowledged={acknowledged.value}
          onAcknowledge={(names) => (acknowledged.value = names)}
        />
      )}
      {plan.value && <MayStart plan={plan.value} isReady={isReady} onStart={() => (isAsked.value = true)} />}
      {isAsked.value && plan.value && (
        <Confirm
          title={`Restore into ${form.value.targetClusterId}?`}
          verb="Restore"
          typed={form.value.targetClusterId}
          isDestructive
          same={[sameStart(form.value, plan.value.hash, acknowledged.value)]}
          act={start}
          onDone={() => undefined}
          onClose={() => (isAsked.value = false)}
        >
          <p>
            br writes {plan.value.filter.length > 0 ? 'a part of' : ''} the backup of{' '}
            <b>{plan.value.source?.clusterId}</b> into <b>{form.value.targetClusterId}</b>. Until it is over, nothing
            else may use that cluster.
          </p>
        </Confirm>
      )}
    </Page>
  );
}

function MayStart({
  plan,
  isReady,
  onStart,
}: {
  readonly plan: RestorePlan;
  readonly isReady: boolean;
  readonly onStart: () => void;
}) {
  if (!mayAdminister.value && plan.target?.purpose !== ClusterPurpose.SCRATCH)
    return <p class="note">Only an admin starts a restore into this cluster: it is no scratch cluster.</p>;
  return (
    <div class="buttons">
      <button type="button" class="danger" disabled={!isReady} onClick={onStart}>
        Restore …
      </button>
      {!isReady && <span class="muted">A check is blocked: acknowledge it first, or choose otherwise.</span>}
    </div>
  );
}

interface ChoiceProps {
  readonly form: RestoreForm;
  readonly onChange: (part: Partial<RestoreForm>) => void;
}

function Choice({ form, onChange }: ChoiceProps) {
  const sourceId = useSignal('');
  return (
    <div class="plan">
      <div class="panel">
        <label>
          Backup
          <input
            required
            pattern="[A-Za-z0-9_\-]{1,64}"
            placeholder="id of a good backup"
            value={form.backupId}
            onInput={(event) => onChange({ backupId: event.currentTarget.value.trim() })}
          />
        </label>
        <details open={form.backupId === ''}>
          <summary>Find one by its cluster</summary>
          <label>
            Cluster that was backed up
            <input
              maxLength={64}
              value={sourceId}
              onChange={(event) => (sourceId.value = event.currentTarget.value.trim())}
            />
          </label>
          {sourceId.value !== '' && (
            <PointChoice
              key={sourceId.value}
              clusterId={sourceId.value}
              onChoose={(backupId) => onChange({ backupId })}
            />
          )}
        </details>
        <label>
          Into the cluster
          <input
            required
            pattern="[A-Za-z0-9_\-]{1,64}"
            placeholder="id of the target"
            value={form.targetClusterId}
            onInput={(event) => onChange({ targetClusterId: event.currentTarget.value.trim() })}
          />
        </label>
      </div>
      <div class="panel">
        <label>
          Only these tables; one rule a line, none is all of it
          <textarea
            rows={3}
            spellcheck={false}
            placeholder={'shop.*\n!shop.tmp'}
            value={form.filter}
            onInput={(event) => onChange({ filter: event.currentTarget.value })}
          />
        </label>
        <label>
          At most, in MiB/s and TiKV
          <input
            type="number"
            min={1}
            step={1}
            placeholder="as fast as can be"
            value={form.rateLimit}
            onInput={(event) => onChange({ rateLimit: event.currentTarget.value })}
          />
        </label>
        <label class="choice">
          <input
            type="checkbox"
            checked={form.withSystemTables}
            onChange={(event) => onChange({ withSystemTables: event.currentTarget.checked })}
          />
          <span>Users, passwords and grants come back too</span>
        </label>
        <label class="choice">
          <input
            type="checkbox"
            checked={form.withoutStats}
            onChange={(event) => onChange({ withoutStats: event.currentTarget.checked })}
          />
          <span>Statistics stay away</span>
        </label>
        <label class="choice">
          <input
            type="checkbox"
            checked={form.waitTiflashReady}
            onChange={(event) => onChange({ waitTiflashReady: event.currentTarget.checked })}
          />
          <span>The end waits for the TiFlash replicas</span>
        </label>
      </div>
    </div>
  );
}

function PointChoice({
  clusterId,
  onChoose,
}: {
  readonly clusterId: string;
  readonly onChoose: (backupId: string) => void;
}) {
  const live = useLive(
    clusterId,
    (signal) => backups.listRecoveryPoints({ clusterId, pageSize: SHOWN_POINTS }, { signal }),
    60_000,
  );
  const { data } = live;
  return (
    <Known of={live}>
      {data.value?.points.length === 0 && <p class="muted">It has no good backup.</p>}
      <ul class="rows">
        {data.value?.points.map(({ backupId, time, sizeBytes, verifiedAt }) => (
          <li key={backupId} class="buttons">
            <button type="button" class="small" onClick={() => onChoose(backupId)}>
              Choose <span class="unseen">the backup {backupId}</span>
            </button>
            <At at={time} /> <span class="muted">{bytes(sizeBytes)}</span>{' '}
            {verifiedAt && <span class="chip">verified</span>}
          </li>
        ))}
      </ul>
    </Known>
  );
}

const RESULTS: Readonly<Record<string, Word>> = {
  ok: { name: 'ok', text: 'Fine', tone: 'good' },
  warn: { name: 'warn', text: 'Look', tone: 'warn' },
  blocked: { name: 'blocked', text: 'Blocked', tone: 'bad' },
};
const NOT_KNOWN: Word = { name: 'unknown', text: 'Not known', tone: 'calm' };

interface PlanProps {
  readonly plan: RestorePlan;
  readonly acknowledged: readonly string[];
  readonly onAcknowledge: (names: readonly string[]) => void;
}

function Plan({ plan, acknowledged, onAcknowledge }: PlanProps) {
  const { source, target } = plan;
  return (
    <Section title="The plan">
      <Facts
        of={[
          ['From', source && <a href={pathOf(['backups', source.backupId])}>{source.clusterId}</a>],
          ['Data of about', <At key="t" at={plan.sourceTime} />],
          ['Size', source && bytes(source.sizeBytes)],
          ['Into', target && <a href={pathOf(['clusters', target.clusterId])}>{target.clusterId}</a>],
          ['PD', target?.pd.join(', ')],
          ['Versions', `${source?.clusterVersion || 'not known'} into ${target?.version || 'not known'}`],
          ['What', plan.filter.length > 0 ? plan.filter.join(', ') : 'all that was backed up'],
          [
            'May take',
            plan.estimatedSeconds > 0 ? `${duration(plan.estimatedSeconds)}, by ${plan.estimateBasis}` : 'not known',
          ],
          ['br', plan.brVersion],
        ]}
      />
      <ul class="checks">
        {plan.checks.map(({ name, result, message }) => (
          <li key={name}>
            <Mark word={RESULTS[result] ?? NOT_KNOWN} />
            <div>
              <b>{name}</b>
              <p>{message}</p>
              {result === 'blocked' && (
                <label class="choice">
                  <input
                    type="checkbox"
                    checked={acknowledged.includes(name)}
                    onChange={(event) =>
                      onAcknowledge(
                        event.currentTarget.checked
                          ? [...acknowledged, name]
                          : acknowledged.filter((one) => one !== name),
                      )
                    }
                  />
                  <span>I know what this means, and pass it over.</span>
                </label>
              )}
            </div>
          </li>
        ))}
      </ul>
      {plan.argv.length > 0 && (
        <details>
          <summary>The command line of br</summary>
          <code>{plan.argv.join(' ')}</code>
        </details>
      )}
    </Section>
  );
}
