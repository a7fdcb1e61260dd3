import { useSignal } from '@preact/signals';
import type { Drill } from '@tidemark/protocol/connect/tidemark/scheduler/v1/drill_service';
import { drills } from '../api.ts';
import { CHOICES, type DrillForm, emptiedBy, formOf, sameSave, saveOf } from '../drill-form.ts';
import { WEEK } from '../plan-form.ts';
import { mayAdminister } from '../session.ts';
import { Confirm } from './act.tsx';
import { Week } from './week.tsx';

const ID = '[A-Za-z0-9_\\-]{1,64}';
/** Of variables, or the name of a file. */
const SECRETS = '[A-Z0-9_]+_|/.+';

interface DrillDialogProps {
  readonly clusterId: string;
  /** As it is; left out, it is a new one. */
  readonly stored: Drill | undefined;
  readonly onDone: () => void;
  readonly onClose: () => void;
}

interface PartProps {
  readonly form: DrillForm;
  readonly onChange: (part: Partial<DrillForm>) => void;
}

/** Plans the drill of a cluster, or changes it. */
export function DrillDialog({ clusterId, stored, onDone, onClose }: DrillDialogProps) {
  const form = useSignal(formOf(stored));
  /** What is overwritten is what somebody saw. */
  const revision = useSignal(stored?.revision ?? 0n);
  const change = (part: Partial<DrillForm>) => (form.value = { ...form.value, ...part });
  return (
    <Confirm
      title={stored ? `The drill of ${clusterId}` : `Plan a drill of ${clusterId}`}
      verb="Save"
      same={[sameSave(clusterId, form.value, stored)]}
      act={() => drills.putDrill({ ...saveOf(clusterId, form.value, stored), revision: revision.value })}
      onDone={onDone}
      onClose={onClose}
    >
      <label>
        Restores into the scratch cluster
        <input
          required
          pattern={ID}
          placeholder="each run overwrites it"
          value={form.value.targetClusterId}
          onInput={(event) => change({ targetClusterId: event.currentTarget.value.trim() })}
        />
      </label>
      <When form={form.value} onChange={change} />
      <fieldset>
        <legend>What is restored</legend>
        {(Object.keys(CHOICES) as DrillForm['choose'][]).map((choose) => (
          <label key={choose} class="choice">
            <input
              type="radio"
              name="choose"
              checked={form.value.choose === choose}
              onChange={() => change({ choose })}
            />
            <span>{CHOICES[choose].words}</span>
          </label>
        ))}
      </fieldset>
      {mayAdminister.value && <Hook form={form.value} onChange={change} stored={stored} />}
      <label class="choice">
        <input
          type="checkbox"
          checked={form.value.paused}
          onChange={(event) => change({ paused: event.currentTarget.checked })}
        />
        <span>Paused: it runs only when somebody asks</span>
      </label>
    </Confirm>
  );
}

function When({ form, onChange }: PartProps) {
  const toggle = (day: string) =>
    onChange({ days: WEEK.filter((one) => (one === day ? !form.days.includes(one) : form.days.includes(one))) });
  return (
    <>
      <Week form={form} onToggle={toggle} />
      <div class="fields">
        {(['opens', 'closes'] as const).map((edge) => (
          <label key={edge}>
            {edge === 'opens' ? 'Opens' : 'Closes'}
            <input
              type="time"
              required
              value={form[edge]}
              onInput={(event) => onChange({ [edge]: event.currentTarget.value })}
            />
          </label>
        ))}
        <label>
          Time zone
          <input
            placeholder="the cluster’s own"
            value={form.timeZone}
            onInput={(event) => onChange({ timeZone: event.currentTarget.value.trim() })}
          />
        </label>
      </div>
    </>
  );
}

/** Who empties the target, which only admins say. */
function Hook({ form, onChange, stored }: PartProps & Pick<DrillDialogProps, 'stored'>) {
  const choices: readonly (readonly [DrillForm['hook'], string])[] = [
    ...(stored?.emptyHook ? [['as it is', emptiedBy(stored)] as const] : []),
    ['people', 'people: a target that is not empty fails its run'],
    ['hook', stored?.emptyHook ? 'another hook' : 'a hook'],
  ];
  return (
    <fieldset>
      <legend>Who empties the scratch cluster before each run</legend>
      {choices.map(([hook, text]) => (
        <label key={hook} class="choice">
          <input type="radio" name="hook" checked={form.hook === hook} onChange={() => onChange({ hook })} />
          <span>{text}</span>
        </label>
      ))}
      {form.hook === 'hook' && (
        <>
          <label>
            Its secrets, beside scheduler-service: how their variables begin, or a file
            <input
              required
              pattern={SECRETS}
              placeholder="DRILL_ or /run/secrets/drill"
              value={form.hookSecrets}
              onInput={(event) => onChange({ hookSecrets: event.currentTarget.value.trim() })}
            />
          </label>
          <label>
            Its address, where that is no secret
            <input
              type="url"
              maxLength={1_024}
              placeholder="https://hooks.example.com/empty"
              value={form.hookUrl}
              onInput={(event) => onChange({ hookUrl: event.currentTarget.value.trim() })}
            />
          </label>
        </>
      )}
    </fieldset>
  );
}
