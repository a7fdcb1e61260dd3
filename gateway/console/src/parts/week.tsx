import { type PlanForm, WEEK, weekOf } from '../plan-form.ts';

const DAY = 24 * 60;
const HOURS = [0, 6, 12, 18, 24];

/** The windows of a rule on the days of a week, in its own time zone. Each day can be switched. */
export function Week({
  form,
  onToggle,
}: {
  readonly form: Pick<PlanForm, 'days' | 'opens' | 'closes'>;
  readonly onToggle: ((day: string) => void) | undefined;
}) {
  const spans = weekOf(form);
  return (
    <fieldset class="week">
      <legend>Days and windows</legend>
      <div class="week-row axis" aria-hidden="true">
        <span />
        <div>
          {HOURS.map((hour) => (
            <span key={hour} class="hour" style={{ left: `${(hour / 24) * 100}%` }}>
              {String(hour).padStart(2, '0')}
            </span>
          ))}
        </div>
      </div>
      {WEEK.map((name, day) => (
        <div key={name} class="week-row">
          <label class="choice">
            <input
              type="checkbox"
              checked={form.days.includes(name)}
              disabled={onToggle === undefined}
              onChange={() => onToggle?.(name)}
            />
            <span>{name}</span>
          </label>
          <div class="lane">
            {HOURS.slice(1, -1).map((hour) => (
              <i key={hour} class="tick" style={{ left: `${(hour / 24) * 100}%` }} />
            ))}
            {spans
              .filter((span) => span.day === day)
              .map(({ from, to, isRest }) => (
                <i
                  key={String(isRest)}
                  class={isRest ? 'band plan rest' : 'band plan'}
                  style={{ left: `${(from / DAY) * 100}%`, width: `${((to - from) / DAY) * 100}%` }}
                />
              ))}
          </div>
        </div>
      ))}
    </fieldset>
  );
}
