import type { ComponentChildren } from 'preact';
import { useEffect } from 'preact/hooks';
import type { Taken } from '../query.ts';
import { mayAdminister, seesAll } from '../session.ts';
import type { Same } from '../shell.ts';
import { asOfKnown, Known, type Shown } from './known.tsx';
import { SameByShell } from './shell.tsx';
import { localTime } from './time.tsx';
import { useQuery } from './use-query.ts';

interface PageProps {
  /** Of the tab; the heading too, where no other is given. */
  readonly title: string;
  readonly heading?: ComponentChildren;
  /** Beside the heading: what can be done here. */
  readonly actions?: ComponentChildren;
  /** What the page is about; left out, it has nothing that grows old. */
  readonly live?: Shown | undefined;
  /** What that is called while nothing is known of it. */
  readonly loading?: string;
  readonly same: readonly Same[];
  /** What it takes from the address; left out where that holds no filter. */
  readonly taken?: Taken;
  readonly children?: ComponentChildren;
}

/** What all pages have in common: a heading that is the title of the tab, troubles, and the commands that do the same. */
export function Page({ title, heading = title, actions, live, loading, same, taken, children }: PageProps) {
  const asOf = live && asOfKnown(live);
  const moment = asOf === undefined ? '' : `as of ${localTime(asOf)}`;
  useEffect(() => {
    document.title = `${moment ? `${title}, ${moment}` : title} · Tidemark`;
  }, [title, moment]);
  return (
    <>
      <header class="page">
        <h1>
          {heading}
          {moment && <span class="as-of">, {moment}</span>}
        </h1>
        {actions && <div class="buttons">{actions}</div>}
      </header>
      {taken && <PassedOver taken={taken} />}
      {live ? (
        <Known of={live} loading={loading}>
          {children}
        </Known>
      ) : (
        children
      )}
      <SameByShell of={same} />
    </>
  );
}

/** A link that was mistyped or cut on its way must not look as if it had been followed. */
function PassedOver({ taken }: { readonly taken: Taken }) {
  const passedOver = useQuery().passedOver(taken);
  if (passedOver.length === 0) return null;
  return (
    <p class="note warn" role="status">
      The address says <code>{passedOver.join(' ')}</code>, which filters nothing here.
    </p>
  );
}

/** A page for admins. Whoever is none is told so, and nothing is asked for. */
export function AdminPage({ title, same, children }: Pick<PageProps, 'title' | 'same' | 'children'>) {
  if (mayAdminister.value) return <>{children}</>;
  return (
    <Page title={title} same={same}>
      <p class="note">
        This page is for tokens with the role <code>admin</code>.
      </p>
    </Page>
  );
}

/** A page for those who see all clusters. Whoever does not is told so, and nothing is asked for. */
export function WholeFleetPage({ title, same, children }: Pick<PageProps, 'title' | 'same' | 'children'>) {
  if (seesAll.value) return <>{children}</>;
  return (
    <Page title={title} same={same}>
      <p class="note">This page is for tokens that see all clusters.</p>
    </Page>
  );
}

/** A heading with what belongs to it. */
export function Section({
  title,
  more,
  live,
  loading,
  children,
}: {
  readonly title: string;
  readonly more?: ComponentChildren;
  /** What it shows, where that is asked for on its own. */
  readonly live?: Shown;
  /** What that is called while nothing is known of it. */
  readonly loading?: string;
  readonly children: ComponentChildren;
}) {
  const id = `section-${title.toLowerCase().replaceAll(/\W+/g, '-')}`;
  return (
    <section aria-labelledby={id}>
      <div class="section-head">
        <h2 id={id}>{title}</h2>
        {more}
      </div>
      {live ? (
        <Known of={live} loading={loading}>
          {children}
        </Known>
      ) : (
        children
      )}
    </section>
  );
}

/** Pairs of a name and what is known of it. */
export function Facts({ of }: { readonly of: readonly (readonly [name: string, value: ComponentChildren])[] }) {
  return (
    <dl class="facts">
      {of
        .filter(([, value]) => value !== undefined && value !== '' && value !== null && value !== false)
        .map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  );
}
