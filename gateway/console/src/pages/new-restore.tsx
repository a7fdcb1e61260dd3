import { timestampMs } from '@bufbuild/protobuf/wkt';
import { useSignal } from '@preact/signals';
import { ClusterPurpose } from '@tidemark/protocol/connect/tidemark/backup/v1/registry_service';
import type { RestorePlan } from '@tidemark/protocol/connect/tidemark/backup/v1/restore';
import { useLocation } from 'preact-iso';
import { restores } from '../api.ts';
import { Confirm, useAct } from '../parts/act.tsx';
import { Page } from '../parts/page.tsx';
import { Trouble } from '../parts/problem.tsx';
import { RestoreChoice } from '../parts/restore-choice.tsx';
import { Plan } from '../parts/restore-plan.tsx';
import { exactTime } from '../parts/time.tsx';
import { useQuery } from '../parts/use-query.ts';
import { type RestoreForm, samePlan, sameStart, wishOf } from '../restore-acts.ts';
import { mayAdminister } from '../session.ts';
import { pathOf } from '../shell.ts';

/** What the server says of a moment to which nothing leads, which belongs beside the field of that. */
const NOT_RESTORABLE = 'point_not_restorable';

/** Which backup or which moment, into which cluster; what would be done, and then the word for it. */
export function NewRestorePage() {
  const query = useQuery();
  const { route } = useLocation();
  const form = useSignal<RestoreForm>({
    of: query.get('of') === null ? 'backup' : 'point',
    backupId: query.get('backup') ?? '',
    sourceClusterId: query.get('of') ?? '',
    at: query.get('at') ?? undefined,
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
    planning.problem.value = undefined;
    form.value = { ...form.value, ...part };
    plan.value = undefined;
    acknowledged.value = [];
  };
  const look = () =>
    planning.run(async () => {
      plan.value = (await restores.planRestore(wishOf(form.value))).plan;
      acknowledged.value = [];
    });
  const start = async () => {
    const { restore } = await restores.startRestore({
      ...wishOf(form.value),
      planHash: plan.value?.hash ?? '',
      confirm: form.value.targetClusterId,
      acknowledge: [...acknowledged.value],
    });
    route(pathOf(['restores', restore?.id ?? '']));
  };
  const blocked = plan.value?.checks.filter(({ result }) => result === 'blocked') ?? [];
  const problem = planning.problem.value;
  const isOfMoment = problem?.code === NOT_RESTORABLE;
  const isReady = blocked.every(({ name }) => acknowledged.value.includes(name));
  const point = plan.value?.source?.point;
  return (
    <Page
      title={form.value.of === 'point' ? 'Restore to a point in time' : 'Restore a backup'}
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
        <RestoreChoice form={form.value} onChange={change} refusal={isOfMoment ? problem.message : undefined} />
        {!isOfMoment && <Trouble problem={problem} />}
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
            <b>{plan.value.source?.clusterId}</b> into <b>{form.value.targetClusterId}</b>
            {point?.time && <>, and then what its log adds up to {exactTime(timestampMs(point.time))}</>}. Until it is
            over, nothing else may use that cluster.
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
