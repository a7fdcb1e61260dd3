import { KEEPS, keepsEverything, type PlanForm, WEEK, windowSeconds } from '../plan-form.ts';
import { duration } from '../quantities.ts';
import { BrFields } from './br-fields.tsx';
import { Week } from './week.tsx';

interface FieldsProps {
  readonly form: PlanForm;
  /** Left out, nothing can be changed. */
  readonly onChange: ((form: PlanForm) => void) | undefined;
  /** What no time zone means. */
  readonly ownZone: string;
}

const MOST_KEPT = 100_000;
const MOST_DAYS = 3_650;

/** Everything of a rule that people set. */
export function PlanFields({ form, onChange, ownZone }: FieldsProps) {
  const change = (part: Partial<PlanForm>) => onChange?.({ ...form, ...part });
  const isFixed = onChange === undefined;
  const toggle = (day: string) =>
    change({ days: WEEK.filter((one) => (one === day ? !form.days.includes(one) : form.days.includes(one))) });
  return (
    <div class="plan">
      <div class="panel">
        <Week form={form} onToggle={isFixed ? undefined : toggle} />
        <div class="fields">
          <label>
            Opens
            <input
              type="time"
              required
              disabled={isFixed}
              value={form.opens}
              onInput={(event) => change({ opens: event.currentTarget.value })}
            />
          </label>
          <label>
            Closes
            <input
              type="time"
              required
              disabled={isFixed}
              value={form.closes}
              onInput={(event) => change({ closes: event.currentTarget.value })}
            />
          </label>
          <label>
            Time zone
            <input
              list="zones"
              disabled={isFixed}
              placeholder={ownZone}
              value={form.timeZone}
              onInput={(event) => change({ timeZone: event.currentTarget.value.trim() })}
            />
          </label>
        </div>
        <datalist id="zones">
          {Intl.supportedValuesOf('timeZone').map((zone) => (
            <option key={zone} value={zone} />
          ))}
        </datalist>
        <p class="muted">
          {form.days.length === 0
            ? 'Without a day nothing starts by itself.'
            : `Each window is open for ${duration(windowSeconds(form))}.`}
        </p>
        <fieldset>
          <legend>When the window closes on a backup that still runs</legend>
          <label class="choice">
            <input
              type="radio"
              name="end"
              disabled={isFixed}
              checked={form.windowEnd === 'letRun'}
              onChange={() => change({ windowEnd: 'letRun' })}
            />
            <span>it goes on</span>
          </label>
          <label class="choice">
            <input
              type="radio"
              name="end"
              disabled={isFixed}
              checked={form.windowEnd === 'stop'}
              onChange={() => change({ windowEnd: 'stop' })}
            />
            <span>it is canceled, and its files are removed</span>
          </label>
        </fieldset>
        <label class="choice">
          <input
            type="checkbox"
            disabled={isFixed}
            checked={form.paused}
            onChange={(event) => change({ paused: event.currentTarget.checked })}
          />
          <span>Paused: nothing starts by itself</span>
        </label>
      </div>
      <div class="panel">
        <fieldset>
          <legend>Which backups are kept</legend>
          {KEEPS.map(([keep, text]) => (
            <label key={keep} class="keep">
              <input
                type="number"
                min={0}
                max={MOST_KEPT}
                step={1}
                disabled={isFixed}
                value={form.keeps[keep] || ''}
                onInput={(event) =>
                  change({ keeps: { ...form.keeps, [keep]: event.currentTarget.valueAsNumber || 0 } })
                }
              />
              <span>{text}</span>
            </label>
          ))}
          <p class="muted">
            {keepsEverything(form)
              ? 'With no number every backup is kept.'
              : 'One that any of them keeps is kept; the newest good one and pinned ones always are.'}
          </p>
        </fieldset>
        <fieldset>
          <legend>Verification by itself</legend>
          <label class="keep">
            <input
              type="number"
              min={0}
              max={MOST_DAYS}
              step={1}
              disabled={isFixed}
              value={form.verifyDays || ''}
              onInput={(event) => change({ verifyDays: event.currentTarget.valueAsNumber || 0 })}
            />
            <span>days apart; empty is not at all</span>
          </label>
          {form.verifyDays > 0 && (
            <>
              <label>
                How much is read
                <select
                  disabled={isFixed}
                  value={form.verifyLevel}
                  onChange={(event) => change({ verifyLevel: event.currentTarget.value === 'meta' ? 'meta' : 'bytes' })}
                >
                  <option value="bytes">bytes: data files too</option>
                  <option value="meta">meta: the catalogue, and a list of all files</option>
                </select>
              </label>
              {form.verifyLevel === 'bytes' && (
                <label class="keep">
                  <input
                    type="number"
                    min={0.0001}
                    max={100}
                    step="any"
                    disabled={isFixed}
                    value={form.verifyPercent}
                    onInput={(event) => change({ verifyPercent: event.currentTarget.valueAsNumber || 100 })}
                  />
                  <span>percent of the data files</span>
                </label>
              )}
              <label class="keep">
                <input
                  type="number"
                  min={0}
                  step={1}
                  disabled={isFixed}
                  value={form.verifyRate || ''}
                  onInput={(event) => change({ verifyRate: event.currentTarget.valueAsNumber || 0 })}
                />
                <span>MiB/s at most; empty is as fast as can be</span>
              </label>
            </>
          )}
        </fieldset>
        <label>
          Storage
          <input
            maxLength={64}
            pattern="[A-Za-z0-9_\-]*"
            placeholder="the cluster’s own"
            disabled={isFixed}
            value={form.storageId}
            onInput={(event) => change({ storageId: event.currentTarget.value.trim() })}
          />
        </label>
      </div>
      <BrFields form={form.br} onChange={isFixed ? undefined : (br) => change({ br })} />
    </div>
  );
}
