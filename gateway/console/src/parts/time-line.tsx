import { useSignal } from '@preact/signals';
import type { ComponentChildren } from 'preact';
import { useEffect, useId, useRef } from 'preact/hooks';
import { isoOf, readMoment } from '../moment-text.ts';
import { type Axis, spanOf } from '../night.ts';
import {
  axisOf,
  endsOf,
  type Found,
  find,
  holeWords,
  type Moment,
  movedBy,
  pointedAt,
  REACHES,
  type Reach,
  type Recoverable,
  reachTo,
  ticksOn,
} from '../time-line.ts';
import { exactTime, useMoment } from './time.tsx';

const HOUR = new Intl.DateTimeFormat(undefined, { hour: '2-digit', minute: '2-digit' });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: 'short', day: 'numeric' });
const DAY_MINUTES = 24 * 60;
/** A line begins with as much, where more is kept. */
const FIRST_REACHES = REACHES.slice(0, 3);
const STEPS = [
  ['PageDown', '−1 h', 'One hour earlier'],
  ['ArrowDown', '−1 min', 'One minute earlier'],
  ['ArrowLeft', '−1 s', 'One second earlier'],
  ['ArrowRight', '+1 s', 'One second later'],
  ['ArrowUp', '+1 min', 'One minute later'],
  ['PageUp', '+1 h', 'One hour later'],
] as const;

interface TimeLineProps {
  readonly recoverable: Recoverable;
  /** The moment as it was typed or pointed at; until then the newest. */
  readonly text: string | undefined;
  readonly onChange: (text: string) => void;
  /** Why it was refused, where that was not known here. */
  readonly refusal?: string | undefined;
  /** What can be done with a moment that can be restored. */
  readonly action: (found: Exclude<Found, { is: 'nothing' }>, ms: number) => ComponentChildren;
}

/** The time of a cluster, on which a moment is chosen: with the pointer, by keys, or as a text. */
export function TimeLine({ recoverable, text, onChange, refusal, action }: TimeLineProps) {
  const nowMs = useMoment();
  const ends = endsOf(recoverable);
  /** Where the mark stays while what is typed is no moment yet. */
  const lastMs = useSignal<number | undefined>(undefined);
  const wanted = useSignal<Reach | undefined>(undefined);
  const verdictId = useId();
  const input = useRef<HTMLInputElement>(null);
  const read = text === undefined ? undefined : readMoment(text);
  const trouble = read && 'trouble' in read ? read.trouble : undefined;
  useEffect(() => input.current?.setCustomValidity(trouble ?? ''), [trouble]);
  if (!ends) return null;
  const ms = (read && 'ms' in read ? read.ms : lastMs.value) ?? ends.newest.ms;
  const reach = wanted.value ?? reachTo(ends.oldest.ms, nowMs, FIRST_REACHES);
  const found = find(recoverable, ms, nowMs);
  const take = (next: string) => {
    const typed = readMoment(next);
    if ('ms' in typed) {
      lastMs.value = typed.ms;
      // What lies beside the line is not seen there.
      if (typed.ms < axisOf(reach, nowMs).fromMs) wanted.value = reachTo(typed.ms, nowMs);
    }
    onChange(next);
  };
  const choose = (next: number) => take(isoOf(next));
  const press = (key: string): boolean => {
    const next = movedBy(key, ms, recoverable, nowMs);
    if (next !== undefined) choose(next);
    return next !== undefined;
  };
  return (
    <div class="time-line">
      <div class="section-head">
        <p class="legend muted" aria-hidden="true">
          <span class="key every" /> every second <span class="key hole" /> nothing <span class="key next" /> a backup
        </p>
        <fieldset class="buttons">
          <legend class="unseen">How far back the line reaches</legend>
          {REACHES.map((one) => (
            <button
              key={one.name}
              type="button"
              class="small"
              aria-pressed={one.name === reach.name}
              onClick={() => (wanted.value = one)}
            >
              {one.name}
            </button>
          ))}
        </fieldset>
      </div>
      <Line
        {...{ recoverable, reach, ms, nowMs, onChoose: choose, onPress: press }}
        words={`${exactTime(ms)}: ${wordsOf(found)}`}
      />
      <div class="time-line-moment">
        <label>
          Moment, with its zone
          <input
            spellcheck={false}
            autocomplete="off"
            maxLength={64}
            ref={input}
            value={text ?? isoOf(ms)}
            aria-invalid={(trouble ?? refusal) !== undefined}
            aria-describedby={verdictId}
            onInput={(event) => take(event.currentTarget.value)}
          />
        </label>
        <div class="buttons">
          {STEPS.map(([key, sign, name]) => (
            <button key={key} type="button" class="small" title={name} onClick={() => press(key)}>
              {sign}
            </button>
          ))}
        </div>
      </div>
      <div class="verdict" id={verdictId}>
        {(trouble ?? refusal) !== undefined ? (
          <p class="note bad" role="alert">
            {trouble ?? refusal}
          </p>
        ) : (
          <Verdict {...{ found, ms, onChoose: choose, action }} />
        )}
      </div>
    </div>
  );
}

interface LineProps extends Pick<TimeLineProps, 'recoverable'> {
  readonly reach: Reach;
  readonly ms: number;
  readonly nowMs: number;
  /** What is said of the moment to who does not see it. */
  readonly words: string;
  readonly onChoose: (ms: number) => void;
  /** @returns whether the key leads somewhere */
  readonly onPress: (key: string) => boolean;
}

function Line({ recoverable, reach, ms, nowMs, words, onChoose, onPress }: LineProps) {
  const axis = axisOf(reach, nowMs);
  const ticks = ticksOn(axis, reach);
  const format = reach.tickMinutes < DAY_MINUTES ? HOUR : DAY;
  const choose = (event: PointerEvent & { readonly currentTarget: HTMLElement }) => {
    const { left, width } = event.currentTarget.getBoundingClientRect();
    onChoose(pointedAt(axis, (event.clientX - left) / width));
  };
  return (
    <>
      <div class="axis" aria-hidden="true">
        <div>
          {ticks.map((tick, index) => (
            <span key={tick} class={index % 2 === 0 ? 'hour' : 'hour minor'} style={placed(axis, tick)}>
              {format.format(tick)}
            </span>
          ))}
        </div>
      </div>
      <div
        class="lane"
        role="slider"
        tabIndex={0}
        aria-label="Moment to restore"
        aria-valuemin={axis.fromMs}
        aria-valuemax={axis.toMs}
        aria-valuenow={Math.min(axis.toMs, Math.max(axis.fromMs, ms))}
        aria-valuetext={words}
        onKeyDown={(event) => {
          if (!event.ctrlKey && !event.metaKey && !event.altKey && onPress(event.key)) event.preventDefault();
        }}
        onPointerDown={(event) => {
          event.currentTarget.setPointerCapture(event.pointerId);
          choose(event);
        }}
        onPointerMove={(event) => event.currentTarget.hasPointerCapture(event.pointerId) && choose(event)}
      >
        {recoverable.holes.map((hole) => (
          <i key={hole.fromMs} class="hole" style={stretched(axis, hole)} title={holeWords(hole.why)} />
        ))}
        {recoverable.ranges.map((range) => (
          <i key={range.fromMs} class="every" style={stretched(axis, range)} title="Every second" />
        ))}
        {ticks.map((tick) => (
          <i key={tick} class="tick" style={placed(axis, tick)} />
        ))}
        {recoverable.points.map((point) => (
          <i key={point.backupId} class="next" style={placed(axis, point.ms)} title={exactTime(point.ms)} />
        ))}
        <i class="chosen" style={placed(axis, Math.min(axis.toMs, Math.max(axis.fromMs, ms)))} />
      </div>
    </>
  );
}

const percent = (part: number) => `${(part * 100).toFixed(3)}%`;
const HIDDEN = { display: 'none' } as const;

function placed(axis: Axis, ms: number) {
  const span = spanOf(axis, ms, ms);
  return span ? { left: percent(span.from) } : HIDDEN;
}

function stretched(axis: Axis, { fromMs, toMs }: { readonly fromMs: number; readonly toMs: number }) {
  const span = spanOf(axis, fromMs, toMs);
  return span ? { left: percent(span.from), width: percent(span.to - span.from) } : HIDDEN;
}

function wordsOf(found: Found): string {
  if (found.is === 'nothing') return `It cannot be restored. ${found.why}`;
  return found.is === 'second'
    ? `It can be restored, by log ${found.range.generation}.`
    : 'It is the moment of a backup.';
}

interface VerdictProps extends Pick<TimeLineProps, 'action'> {
  readonly found: Found;
  readonly ms: number;
  readonly onChoose: (ms: number) => void;
}

function Verdict({ found, ms, onChoose, action }: VerdictProps) {
  return (
    <>
      <p>
        <b>{exactTime(ms)}</b> <span class="muted">{isoOf(ms)}</span>
      </p>
      <p class={found.is === 'nothing' ? 'note warn' : 'note good'}>{wordsOf(found)}</p>
      {found.is === 'nothing' ? (
        <div class="buttons">
          <Beside of={found.before} side="before it" onChoose={onChoose} />
          <Beside of={found.after} side="after it" onChoose={onChoose} />
        </div>
      ) : (
        action(found, ms)
      )}
    </>
  );
}

function Beside({
  of,
  side,
  onChoose,
}: {
  readonly of: Moment | undefined;
  readonly side: string;
  readonly onChoose: (ms: number) => void;
}) {
  if (!of) return null;
  return (
    <button type="button" onClick={() => onChoose(of.ms)}>
      Take {exactTime(of.ms)}, {side}
    </button>
  );
}
