import type { ComponentChildren } from 'preact';
import { answeredAt, isAway } from '../connection.ts';
import type { Live } from '../live.ts';
import { Trouble } from './problem.tsx';
import { Age, MomentOf, useMomentOf } from './time.tsx';

/** What is asked for again and again, as far as its place on a page must know it. */
export type Shown = Omit<Live<unknown>, 'refresh'>;

/** When what is shown was answered, where it is not of now; in milliseconds. */
export function asOfKnown({ data, asOf }: Shown): number | undefined {
  if (data.value === undefined) return undefined;
  return asOf.value ?? (isAway.value ? answeredAt.value : undefined);
}

interface KnownProps {
  readonly of: Shown;
  /** What it is called while nothing is known of it; left out, nothing is said then. */
  readonly loading?: string | undefined;
  readonly children: ComponentChildren;
}

/** What is known, with what went wrong since, and how old it is then: times within stand still at the last answer. */
export function Known({ of, loading, children }: KnownProps) {
  const moment = useMomentOf(of);
  const { data, problem, asOf } = of;
  const isKnown = data.value !== undefined;
  // What is said of the whole page is not said again of each part of it.
  const isTold = isAway.value && isKnown;
  return (
    <>
      {!isTold && <Trouble problem={problem.value} />}
      {!isTold && isKnown && asOf.value !== undefined && (
        <p class="muted">
          As of <Age of={asOf.value} /> ago.
        </p>
      )}
      {loading !== undefined && !isKnown && !problem.value && <Loading of={loading} />}
      <MomentOf value={moment}>{children}</MomentOf>
    </>
  );
}

function Loading({ of }: { readonly of: string }) {
  return (
    <p class="muted loading" role="status">
      Loading {of} …
    </p>
  );
}
